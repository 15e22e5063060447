#!/usr/bin/env python3
"""A second client of the Shtrih-M protocol: one working day of one register, over link v1 or v2, serial line or TCP.

Written from the protocol reference alone, with nothing but Python's own library and no line from the driver, the wire
crate or the simulated device: where it and they agree, it is not because one was copied from the other.

    second_client.py {v1|v2} {/dev/ttyX | tcp:HOST:PORT} [--receipts N]

Prints one JSON line per operation, with what the register said. Ends with code 1 and one line on standard error when
the register says anything that the reference does not explain. Numbers of sections below are those of the reference.
"""
import argparse, functools, json, operator, os, select, socket, struct, sys, termios, time, tty

ENQ, STX, STX2, ACK, NAK, FILL = 0x05, 0x02, 0x8F, 0x06, 0x15, 0xFF
PASSWORD = struct.pack("<I", 30)  # system administrator, 2
ANSWER_SECONDS = {0x10: 3, 0x11: 3, 0x40: 30, 0x41: 65, 0xE0: 120, 0x26: 5}  # 1.2
LISTS = {1059, 1084, 1174, 1223, 1224, 1256, 1260, 1261, 1291}

class Refused(Exception):
    def __init__(self, code, error):
        super().__init__(f"command {code} was answered with error {error:02X}")
        self.error = error

class Port:
    """Bytes to and from a serial line or a TCP connection."""

    def __init__(self, address):
        self.network = address.startswith("tcp:")
        if self.network:
            host, port = address[4:].rsplit(":", 1)
            self.socket = socket.create_connection((host, int(port)), timeout=5)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.fd = self.socket.fileno()
        else:
            self.fd = os.open(address, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(self.fd)
            speed = termios.tcgetattr(self.fd)
            speed[4] = speed[5] = termios.B115200
            termios.tcsetattr(self.fd, termios.TCSANOW, speed)
            termios.tcflush(self.fd, termios.TCIOFLUSH)
        self.read = bytearray()

    def send(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def byte(self, seconds):
        """The next byte, or None when none came in time."""
        if not self.read:
            if not select.select([self.fd], [], [], seconds)[0]:
                return None
            self.read += os.read(self.fd, 4096)
            if not self.read:
                raise ConnectionError("the register closed the connection")
        return self.read.pop(0)

    def drain(self):
        while self.byte(0.05) is not None:
            pass

def lrc(data):
    return functools.reduce(operator.xor, data, 0)

class LinkV1:
    """1.2: ENQ, frame, ACK, answer, ACK. Over TCP one byte FF may follow our ACK at any moment."""

    def __init__(self, port):
        self.port = port

    def control(self, seconds):
        found = self.port.byte(seconds)
        while found == FILL:
            found = self.port.byte(seconds)
        return found

    def replies(self, data):
        """Sends `data` up to ten times and gives the control byte that answers each."""
        for _ in range(10):
            self.port.send(data)
            yield self.control(1)
        raise ConnectionError(f"{data.hex()} was sent ten times in vain")

    def frame(self, seconds):
        """The data of one answer frame; None when it was damaged or cut."""
        start = self.control(seconds)
        length = self.port.byte(1) if start == STX else None
        if length is None:
            return None
        data = [self.port.byte(1) for _ in range(length + 1)]
        return bytes(data[:-1]) if None not in data and lrc([length] + data) == 0 else None

    def ready(self):
        """Brings the register to "send a command"; an answer that nobody took is taken and dropped."""
        for reply in self.replies(bytes([ENQ])):
            if reply == NAK:
                return
            if reply == ACK and self.frame(30) is not None:
                self.port.send(bytes([ACK]))
            else:
                self.port.drain()

    def exchange(self, data, seconds):
        self.ready()
        whole = bytes([len(data)]) + data
        for reply in self.replies(bytes([STX]) + whole + bytes([lrc(whole)])):
            if reply == ACK:
                break
            if reply != NAK:
                raise ConnectionError("neither ACK nor NAK to a frame: its fate is unknown")
        while (answer := self.frame(seconds)) is None:
            self.port.send(bytes([NAK]))
            self.port.drain()
            if next(self.replies(bytes([ENQ]))) != ACK:
                raise ConnectionError("a damaged answer was not kept: the fate of the command is unknown")
        self.port.send(bytes([ACK]))
        return answer

def crc(data):
    """1.4: CCITT, begins with FFFF, not reflected."""
    value = 0xFFFF
    for one in data:
        value ^= one << 8
        for _ in range(8):
            value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value

class LinkV2:
    """1.4: numbered frames; a frame sent again with its number is answered again and not carried out again."""

    def __init__(self, port):
        self.port = port
        self.number = None

    def send(self, body):
        plain = struct.pack("<H", len(body)) + body
        plain += struct.pack("<H", crc(plain))
        self.port.send(bytes([STX2]) + plain.replace(b"\x9f", b"\x9f\x83").replace(b"\x8f", b"\x9f\x81"))

    def take(self, deadline):
        """Number and data of the next whole frame before `deadline`, else None."""
        raw = bytearray()
        while (one := self.port.byte(max(0, deadline - time.monotonic()))) is not None:
            raw = bytearray() if one == STX2 else raw + bytes([one])
            plain = bytes(raw).replace(b"\x9f\x81", b"\x8f").replace(b"\x9f\x83", b"\x9f")
            if len(plain) >= 6 and len(plain) == struct.unpack_from("<H", plain)[0] + 4:
                number, data = struct.unpack_from("<H", plain, 2)[0], plain[4:-2]
                if struct.unpack("<H", plain[-2:])[0] == crc(plain[:-2]):
                    return number, data
        return None

    def sync(self):
        for _ in range(10):
            self.send(b"")
            if (found := self.take(time.monotonic() + 1)) is not None:
                return found[0]
        raise ConnectionError("ten synchronisations without an answer")

    def exchange(self, data, seconds):
        number = ((self.sync() if self.number is None else self.number) + 1) & 0xFFFF
        for _ in range(3):
            self.send(struct.pack("<H", number) + data)
            deadline = time.monotonic() + seconds
            while (found := self.take(deadline)) is not None:
                if found[0] == number and found[1][:1] == data[:1]:
                    self.number = number
                    return found[1]
        raise ConnectionError("three frames of one number without their answer: the fate of the command is unknown")

class Register:
    """3: commands by name; every answer is taken apart to its last byte."""

    def __init__(self, link):
        self.link = link

    def ask(self, code, data=b"", layout=None, password=True):
        """Sends a command and unpacks its answer by `layout`; without one gives the bytes."""
        command = bytes.fromhex(code)
        request = command + (PASSWORD if password else b"") + data
        answer = self.link.exchange(request, ANSWER_SECONDS.get(command[0], 30))
        if answer[:len(command)] != command:
            raise ConnectionError(f"the answer {answer.hex()} is not one to {code}")
        error, rest = answer[len(command)], answer[len(command) + 1:]
        if error:
            raise Refused(code, error)
        return rest if layout is None else struct.unpack_from(layout, rest)

    def field(self, table, row, field):
        return self.ask("1F", struct.pack("<BHB", table, row, field))

    def text(self, table, field):
        return self.field(table, 1, field).split(b"\0")[0].decode("cp1251").strip()

    def idle(self):
        """2: mode 8 with submode 5 is printing; waits until that is over. Gives the mode byte."""
        for _ in range(600):
            mode, submode = self.ask("10", layout="<BHBB")[2:]
            if submode not in (4, 5):
                return mode
            time.sleep(0.05)
        raise ConnectionError("the register prints for ever")

    def last_document(self):
        state = self.ask("FF01", layout="<BBBBB5s16sI")
        return {"phase": state[0], "shift_open": state[3], "fn": state[6].decode().strip(), "fd": state[7]}

    def document(self, fd):
        """3.7: the whole document from the FN's archive, pieces joined before they are taken apart."""
        kind, length = self.ask("FF3A", struct.pack("<I", fd), "<HH")
        body = b""
        try:
            while True:
                body += self.ask("FF3B")
        except Refused as end:
            if end.error != 0x08:
                raise
        if len(body) != length:
            raise ValueError(f"document {fd}: {len(body)} bytes, {length} announced")
        return kind, tags(body)

def tags(body):
    """TLV as [tag, value in hex or list] pairs, in their order."""
    found = []
    while body:
        tag, length = struct.unpack_from("<HH", body)
        value, body = body[4:4 + length], body[4 + length:]
        if len(value) != length:
            raise ValueError(f"tag {tag} is cut")
        found.append([tag, tags(value) if tag in LISTS else value.hex()])
    return found

def money(kopecks):
    return kopecks.to_bytes(5, "little")

def item(name, operation, millionths, price, vat):
    """3.5, FF46: the register computes sum and tax."""
    return (bytes([operation]) + millionths.to_bytes(6, "little") + money(price) + b"\xff" * 10
            + bytes([vat, 1, 4, 1]) + name.encode("cp1251"))

def identify(register):
    model = register.ask("FC", password=False)
    flags = int.from_bytes(register.ask("F7", b"\x01", password=False)[:8], "little")
    state = register.last_document()
    return {"model": model[6:].decode("cp1251"), "code": model[4], "v2": flags >> 28 & 1, "has_fn": flags >> 43 & 1,
            "serial": register.text(18, 1), "inn": register.text(18, 2), "mode": register.idle(), **state,
            "fn_by_ff02": register.ask("FF02")[:16].decode().strip(), "expiry": register.ask("FF03")[:3].hex(),
            "ffd": register.field(17, 1, 17)[0], "full_state": len(register.ask("11"))}

def open_shift(register):
    if register.field(17, 1, 7) != b"\x02":
        register.ask("1E", struct.pack("<BHB", 17, 1, 7) + b"\x02")
    if register.idle() != 4:
        raise ValueError("a day begins with a closed shift")
    before = register.last_document()["fd"]
    register.ask("FF41")
    shift, fd, sign = register.ask("FF0B", layout="<HII")
    if fd != before + 1 or register.idle() != 2:
        raise ValueError(f"after FD {before} the shift opened with FD {fd}")
    return {"shift": shift, "fd": fd, "fp": sign, "number": register.ask("FF0A", struct.pack("<I", fd)).hex()}

def receipt(register):
    """Two items of 100.00 and 2.5 × 9.99, paid with 50.00 by card and the rest with a note of 100.00."""
    before = register.last_document()["fd"]
    register.ask("8D", b"\x00")
    register.ask("FF46", item("Товар", 1, 1_000_000, 10000, 0x01))
    register.ask("FF46", item("Яблоки, кг", 1, 2_500_000, 999, 0x02))
    register.ask("FF0C", bytes.fromhex("F0030D00") + b"a@example.org")
    total = int.from_bytes(register.ask("89")[1:6], "little")
    payments = money(10000) + money(5000) + money(0) * 14
    change, fd, sign = register.ask("FF45", payments + bytes(1 + 30) + b"\x01", "<5sII")
    mode = register.idle()
    if fd != before + 1 or mode != 2:
        raise ValueError(f"after FD {before} came FD {fd}, mode {mode:02X}")
    short = register.ask("FF0A", struct.pack("<I", fd), "<BB5sIIB5s")
    kind, read = register.document(fd)
    return {"fd": fd, "fp": sign, "total": total, "change": int.from_bytes(change, "little"), "kind": kind,
            "short": [short[0], short[3], short[4], short[5], int.from_bytes(short[6], "little")], "tags": read}

def close_shift(register):
    register.ask("41")
    mode = register.idle()
    fd = register.last_document()["fd"]
    kind, read = register.document(fd)
    closed = register.ask("FF40", layout="<BHH")
    return {"fd": fd, "kind": kind, "mode": mode, "shift_open": closed[0], "shift": closed[1], "tags": read}

def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("link", choices=("v1", "v2"))
    arguments.add_argument("port")
    arguments.add_argument("--receipts", type=int, default=1)
    wish = arguments.parse_args()
    register = Register({"v1": LinkV1, "v2": LinkV2}[wish.link](Port(wish.port)))
    for step in [identify, open_shift] + [receipt] * wish.receipts + [close_shift]:
        try:
            print(json.dumps({"operation": step.__name__, **step(register)}, ensure_ascii=False), flush=True)
        except (Refused, ConnectionError, ValueError, struct.error) as wrong:
            sys.exit(f"{step.__name__}: {wrong}")

if __name__ == "__main__":
    main()

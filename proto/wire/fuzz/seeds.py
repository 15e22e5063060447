#!/usr/bin/env python3
"""Writes seeds/ from golden/: one file for each command, direction and length, under the name of its target.

Run after golden/ has grown; what it writes is checked in.
"""

import json
import re
import struct
import zlib
from pathlib import Path

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden"
SEEDS = HERE / "seeds"
REQUEST, ANSWER = "shtrih_request", "shtrih_answer"


def unstuffed(frame: bytes) -> bytes:
    return frame[1:].replace(b"\x9f\x81", b"\x8f").replace(b"\x9f\x83", b"\x9f")


def frames():
    """Direction, link and bytes of every golden frame."""
    for link in ("v1", "v2"):
        for line in (GOLDEN / f"captures/shtrih-{link}.jsonl").read_text().splitlines():
            row = json.loads(line)
            yield row["dir"], link, bytes.fromhex(row["hex"])
        for line in (GOLDEN / f"shtrih-{link}-examples.txt").read_text().splitlines():
            if not line.startswith("#"):
                _, direction, frame = line.split(" | ")
                yield direction, link, bytes.fromhex(frame)


def keep(seeds, target, name, data):
    seeds.setdefault((target, name), data)


def from_frames(seeds):
    for direction, link, frame in frames():
        target = REQUEST if direction == ">" else ANSWER
        payload = frame[2:-1] if link == "v1" else unstuffed(frame)[4:-2]
        if len(frame) > 1 and payload:
            code = payload[:2] if payload[0] in (0xFE, 0xFF) else payload[:1]
            keep(seeds, target, f"{code.hex()}-{len(payload)}", payload)
        # One frame of about each length is enough for a scanner, and two whole exchanges.
        keep(seeds, f"shtrih_{link}_scanner", f"frame-{len(frame) // 16 * 16}", frame)
    for link in ("v1", "v2"):
        stream = [frame for _, of, frame in frames() if of == link][:12]
        keep(seeds, f"shtrih_{link}_scanner", "exchange", b"".join(stream))


def from_lengths(seeds):
    """Commands without a capture: code and ones, as the test of lengths has them."""
    for line in (GOLDEN / "shtrih-lengths.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        code, requests, answers = line.split(" | ")
        head = bytes.fromhex(code)
        for target, lengths, start in ((REQUEST, requests, head), (ANSWER, answers, head + b"\0")):
            for length in re.findall(r"\d+", lengths):
                keep(seeds, target, f"{head.hex()}-{length}", start.ljust(int(length), b"\1"))


def from_tlv(seeds):
    for number, line in enumerate((GOLDEN / "captures/ofd-fn.ndjson").read_text().splitlines()):
        row = json.loads(line)
        if row["link"] == "tlv":
            data = bytes.fromhex(row["hex"])
            keep(seeds, "tlv_list", f"captured-{number}", data)
            keep(seeds, "document", f"captured-{number}", data)
    worked = (GOLDEN / "tlv-examples.txt").read_text().splitlines()
    for number, line in enumerate(line for line in worked if not line.startswith("#")):
        data = bytes.fromhex(line.split(" | ")[1])
        for target in ("tlv_list", "document"):
            keep(seeds, target, f"worked-{number}", data)


def from_exports(seeds):
    """The file of an FN read whole (fn-ffd-ofd D.7): nothing in it, captured documents in it, a ticket in it."""
    head = b"REPORT".ljust(21) + b"kassette".ljust(256, b"\0") + b"0000000001036412".ljust(20) + b"9999078900012345"
    head += b"\4" + struct.pack("<II", 1, 2)
    head += struct.pack("<I", zlib.crc32(head))
    body = b""
    for number in (10, 11, 12):
        tags = seeds[("document", f"captured-{number}")][2:]
        inner = struct.pack("<HH", 103, len(tags)) + tags + struct.pack("<HH", 301, 8) + bytes(8)
        body += struct.pack("<HH", 65021, len(inner)) + inner
    keep(seeds, "fn_export", "empty", head)
    keep(seeds, "fn_export", "documents", head + body)
    keep(seeds, "fn_export", "ticket", head + struct.pack("<HH", 65022, 0))


def from_texts(seeds):
    for name, text in {
        "latin": "a@example.org",
        "goods": "Товар №1, Ёлка «ъ»",
        "beyond": "1 € 👍",
        "zero": "ТОВ\0АР",
    }.items():
        keep(seeds, "text", name, text.encode())
    keep(seeds, "text", "windows", "Товар".encode("cp1251"))
    keep(seeds, "ids", "card", b"0274124752 550101008911 0000000001061875 9999078900001234")
    keep(seeds, "ids", "person", b"500100732259 7707083893 9287440301120991 1")


def main():
    seeds = {}
    for part in (from_frames, from_lengths, from_tlv, from_exports, from_texts):
        part(seeds)
    for (target, name), data in seeds.items():
        path = SEEDS / target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    main()

"""Drives a simulated register with shtrih_drv, a driver for Shtrih-M registers that others wrote.

Usage: shtrih_drv_day.py CHECKOUT tcp:HOST:PORT

Identifies the register, opens a shift, sells one item for cash, takes the Z-report, and prints one JSON line.

CHECKOUT is github.com/kulyasovr/shtrih-drv (MIT), commit 0f4122c3b081a03a73cd2f6939e910983d760768; it is on no registry.
Its files stay as they are, but as published it cannot be constructed: Protocol.__init__ passes one argument to
Connection.__init__, which asks for two. Below the second gets a default, and nothing else is touched.
"""

import contextlib
import io
import json
import os
import sys

sys.path.insert(0, os.path.join(sys.argv[1], "shtrih_drv"))
import connection  # noqa: E402

connection.Connection.__init__.__defaults__ = (None,)
import commands  # noqa: E402


def by_name(answer, name):
    """The driver names fields with and without a space behind the colon, and the error of E0 the operator."""
    found = {key.strip(" :"): value for key, value in answer.items()}
    if found.setdefault("Код ошибки", found.get("sПорядковый номер оператора")) != 0:
        raise RuntimeError(f"the register refused: {answer}")
    return found[name]


def main():
    device = commands.Commands()
    host, port = sys.argv[2].removeprefix("tcp:").rsplit(":", 1)
    device.connect_tcp(host, int(port))
    seen = {}
    # The driver tells everything it reads on standard output.
    with contextlib.redirect_stdout(io.StringIO()):
        device.first_require()
        seen["serial"] = by_name(device.long_state(), "Заводской номер")
        modes = [by_name(device.short_state(), "Режим")]
        by_name(device.open_session(), "Код ошибки")
        modes.append(by_name(device.short_state(), "Режим"))
        by_name(device.open_check(), "Код ошибки")
        by_name(device.operation_v2(2, 10.25, "Товар", sposob=4, predmet=1, section=1), "Код ошибки")
        by_name(device.close_check_v2(50, ""), "Код ошибки")
        by_name(device.close_session(), "Код ошибки")
        modes.append(by_name(device.short_state(), "Режим"))
        seen["modes"] = modes
        device.disconnect()
    print(json.dumps(seen, ensure_ascii=False))


if __name__ == "__main__":
    main()

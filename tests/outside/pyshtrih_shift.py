"""Drives a simulated register with pyshtrih, a driver for Shtrih-M registers that others wrote.

Usage: pyshtrih_shift.py PORT

Identifies the register, opens a shift, sells two items for cash, closes the receipt, takes the Z-report, and prints
one JSON line with what the driver read. Any error of the driver ends it with a traceback and code 1.

pyshtrih 2.0.6 is used as published: its imports work with Python 3.11 and nothing in it is changed. Only its own
settings are used: baud rate, timeout, and one cashier password.
"""

import json
import sys

import pyshtrih

MODE_SHIFT_OPEN = 2
MODE_SHIFT_CLOSED = 4
SALE = 0


def mode(device):
    return device.state()["Режим ФР"].num


def main():
    device = pyshtrih.Retail01F(port=sys.argv[1], baudrate=115200, timeout=3)
    device.connect()
    seen = {"model": device.name, "serial": device.full_state()["Заводской номер"]}
    fn = device.fs_state()
    seen["fn"] = bytes(fn["Номер ФН"]).decode("ascii").strip() if not isinstance(fn["Номер ФН"], str) else fn["Номер ФН"]
    seen["modes"] = [mode(device)]
    device.open_shift()
    device.wait_printing()
    seen["modes"].append(mode(device))
    device.open_check(SALE)
    # Quantity in thousandths, price in kopecks; tax group 1.
    device.sale(("Чай чёрный", 2000, 12550), tax1=1)
    device.sale(("Сахар", 1500, 8000), tax1=1)
    change = device.close_check(cash=40000)
    seen["change"] = change["Сдача"]
    device.wait_printing()
    device.z_report()
    device.wait_printing()
    seen["modes"].append(mode(device))
    device.disconnect()
    print(json.dumps(seen, ensure_ascii=False))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes sample frames of DL/T 645 meters by other people's code: numbers and frames by PyPI dlt645.
Our own encoder has no part in what our decoder is tried on.

    python3 -m venv /tmp/frames && /tmp/frames/bin/pip install dlt645==3.2.0
    /tmp/frames/bin/python edge/protocols/frames/meter.py 2007 000000000161 0201FF00 231.4:XXX.X 229.9:XXX.X 230.5:XXX.X

The standard's year, the meter's address and the item, then what the item holds: numbers as `<value>:<format>` in the
standard's way of writing formats, or bytes as they stand on the wire, `hex:<bytes>`.
"""
import sys

from dlt645.common.transform import float_to_bcd
from dlt645.protocol.protocol import DLT645Protocol

FUNCTIONS = {"1997": (0x01, 0x81), "2007": (0x11, 0x91)}


def held(spec):
    value, form = spec.split(":", 1)
    if value == "hex":
        return bytes.fromhex(form)
    return bytes(float_to_bcd(float(value), form, "little"))


def main(year, address, item, *specs):
    address, item = bytes.fromhex(address)[::-1], bytes.fromhex(item)[::-1]
    asks, answers = FUNCTIONS[year]
    frames = (asks, item), (answers, item + b"".join(held(spec) for spec in specs))
    for name, (control, data) in zip(("request", "response"), frames):
        frame = DLT645Protocol.build_frame(address, control, data, 0)
        print(f'{name} = "{bytes(frame).hex(" ").upper()}"')


if __name__ == "__main__":
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Makes sample frames for device profiles by other people's code: registers by Python's struct, frames by pymodbus.
Our own encoder has no part in what our decoder is tried on.

    python3 -m venv /tmp/frames && /tmp/frames/bin/pip install pymodbus==3.16.1
    /tmp/frames/bin/python edge/protocols/frames/sample.py rtu 1 input 234 f:2.25 f:1.75

Framing, unit, table and address, then what the device holds from there on, each as `<struct letter>:<value>`
(`H` u16, `h` i16, `I` u32, `i` i32, `q` i64, `f` f32), `swapped:<value>` (f32, low word first), `text<registers>:<text>`
(padded with blanks) or, in tables of bits, `bits:<0 and 1, the first address first>`.
"""
import struct
import sys

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu import bit_message as bits
from pymodbus.pdu import register_message as registers

PDUS = {
    "coil": (bits.ReadCoilsRequest, bits.ReadCoilsResponse),
    "discrete": (bits.ReadDiscreteInputsRequest, bits.ReadDiscreteInputsResponse),
    "holding": (registers.ReadHoldingRegistersRequest, registers.ReadHoldingRegistersResponse),
    "input": (registers.ReadInputRegistersRequest, registers.ReadInputRegistersResponse),
}


def words(spec):
    kind, value = spec.split(":", 1)
    if kind.startswith("text"):
        raw = value.encode().ljust(2 * int(kind[4:]))
    elif kind == "swapped":
        raw = struct.pack(">f", float(value))
        raw = raw[2:] + raw[:2]
    else:
        raw = struct.pack(f">{kind}", float(value) if kind == "f" else int(value, 0))
    return list(struct.unpack(f">{len(raw) // 2}H", raw))


def main(framing, unit, table, address, *specs):
    request, response = PDUS[table]
    at = {"dev_id": int(unit), "transaction_id": 1 if framing == "tcp" else 0}
    if table in ("coil", "discrete"):
        held = [c == "1" for s in specs for c in s.removeprefix("bits:")]
        answer = response(bits=held + [False] * (-len(held) % 8), **at)
    else:
        held = [w for s in specs for w in words(s)]
        answer = response(registers=held, **at)
    framer = (FramerRTU if framing == "rtu" else FramerSocket)(DecodePDU(False))
    frames = framer.buildFrame(request(address=int(address, 0), count=len(held), **at)), framer.buildFrame(answer)
    for name, frame in zip(("request", "response"), frames):
        print(f'{name} = "{frame.hex(" ").upper()}"')


if __name__ == "__main__":
    main(*sys.argv[1:])

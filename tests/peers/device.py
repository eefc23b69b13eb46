"""A Modbus device that Steward did not write: pymodbus serves it over TCP, and over RTU and ASCII on pseudo-terminals.

    device.py DIR TCP_PORT

Writes DIR/peer.json when it serves: {"serial": path, "ascii": path, "values": {key: what the point must read as}}. It ends when its
standard input does. Every number is encoded by pymodbus; the bytes inside registers are swapped here by hand.
"""

import asyncio
import json
import os
import sys
import threading
import tty

from pymodbus import FramerType, ModbusDeviceIdentification
from pymodbus.client import ModbusTcpClient
from pymodbus.server import StartAsyncSerialServer, StartAsyncTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

TYPE = ModbusTcpClient.DATATYPE
UNIT = 7


def words(value, kind, order="abcd"):
    """The registers of a value, encoded by pymodbus."""
    word_order = "little" if order in ("cdab", "dcba") else "big"
    registers = ModbusTcpClient.convert_to_registers(value, kind, word_order=word_order)
    if order in ("badc", "dcba"):
        registers = [(r & 0xFF) << 8 | r >> 8 for r in registers]
    return registers


def float32(value):
    """The float32 nearest to a number, as a double: what a register can hold of it."""
    return ModbusTcpClient.convert_from_registers(words(value, TYPE.FLOAT32), TYPE.FLOAT32)


HOLDING = {
    0: [48879],
    1: words(-12345, TYPE.INT16),
    2: words(3_000_000_001, TYPE.UINT32, "abcd"),
    4: words(3_000_000_001, TYPE.UINT32, "cdab"),
    6: words(3_000_000_001, TYPE.UINT32, "badc"),
    8: words(3_000_000_001, TYPE.UINT32, "dcba"),
    10: words(-2_000_000_001, TYPE.INT32, "abcd"),
    12: words(3.1415927, TYPE.FLOAT32, "abcd"),
    14: words(-1.5e-7, TYPE.FLOAT32, "cdab"),
    16: words(6.25e9, TYPE.FLOAT32, "badc"),
    18: words(-0.1, TYPE.FLOAT32, "dcba"),
    20: words(9_007_199_254_740_991, TYPE.UINT64, "abcd"),
    24: words(-9_007_199_254_740_991, TYPE.INT64, "dcba"),
    28: words(2.718281828459045, TYPE.FLOAT64, "abcd"),
    32: words(-1e-300, TYPE.FLOAT64, "cdab"),
    36: [0x1234],
    37: [0x1234, 0x5678],
    39: [0b1000_0000_0101_0001],
    40: words("PM-100 rev2", TYPE.STRING),
    50: [653],
    51: [0x8000],
    52: [2],
    53: words(float("nan"), TYPE.FLOAT32),
    # For profiles/pymodbus/writable.toml.
    60: [225],
    61: words(40.5, TYPE.FLOAT32),
    63: [0xFF0F],
    64: [1],
}
INPUT = {100: words(-77, TYPE.INT16), 101: words(49.98, TYPE.FLOAT32)}
COILS = {5: [True, False]}
DISCRETE = {9: [False, True]}

# What each point of profiles/pymodbus/every-type.toml must read as; null is "no value", other qualities
# by their names: a register that is not there is refused (exception 2).
VALUES = {
    "u16": 48879,
    "i16": -12345,
    "u32-abcd": 3_000_000_001,
    "u32-cdab": 3_000_000_001,
    "u32-badc": 3_000_000_001,
    "u32-dcba": 3_000_000_001,
    "i32": -2_000_000_001,
    "f32-abcd": float32(3.1415927),
    "f32-cdab": float32(-1.5e-7),
    "f32-badc": float32(6.25e9),
    "f32-dcba": float32(-0.1),
    "u64": 9_007_199_254_740_991,
    "i64-dcba": -9_007_199_254_740_991,
    "f64": 2.718281828459045,
    "f64-cdab": -1e-300,
    "bcd16": 1234,
    "bcd32": 12345678,
    "bit-0": True,
    "bit-1": False,
    "bit-15": True,
    "field": 5,
    "text": "PM-100 rev2",
    "temperature": 25.3,
    "sentinel": None,
    "mode": 2,
    "not-a-number": "undecodable",
    "input-i16": -77,
    "input-f32": float32(49.98),
    "coil-on": True,
    "coil-off": False,
    "discrete-off": False,
    "discrete-on": True,
    "absent": "refused",
}

# What it says of itself when it is asked (function 43/14).
IDENTITY = ModbusDeviceIdentification(
    info_name={"VendorName": "Pymodbus", "ProductCode": "PM-100", "MajorMinorRevision": "3.16.1"}
)


async def served(port):
    """Waits until somebody listens."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.05)


def block(cells, kind):
    return [SimData(address, values=values, datatype=kind) for address, values in sorted(cells.items())]


def a_wire():
    """Two pseudo-terminals, back to back; the paths of their outer ends."""
    ends = [os.openpty(), os.openpty()]
    for _, outer in ends:
        tty.setraw(outer)

    def carry(source, sink):
        while data := os.read(source, 4096):
            os.write(sink, data)

    for source, sink in ((0, 1), (1, 0)):
        threading.Thread(target=carry, args=(ends[source][0], ends[sink][0]), daemon=True).start()
    return [os.ttyname(outer) for _, outer in ends]


async def main(folder, port):
    bits = [block(COILS, DataType.BITS), block(DISCRETE, DataType.BITS)]
    registers = [block(HOLDING, DataType.REGISTERS), block(INPUT, DataType.REGISTERS)]
    device = SimDevice(UNIT, simdata=(*bits, *registers))
    (ours, theirs), (ours_ascii, theirs_ascii) = a_wire(), a_wire()
    rtu = {"framer": FramerType.RTU, "port": ours, "baudrate": 19200, "stopbits": 2, "parity": "N"}
    # A pseudo-terminal has eight data bits and no parity, whatever the standard says.
    ascii_ = {"framer": FramerType.ASCII, "port": ours_ascii, "baudrate": 19200}
    serve = [
        StartAsyncTcpServer(device, address=("127.0.0.1", port), identity=IDENTITY),
        StartAsyncSerialServer(device, identity=IDENTITY, **rtu),
        StartAsyncSerialServer(device, identity=IDENTITY, **ascii_),
    ]
    serving = asyncio.gather(*serve)
    await served(port)
    ready = {"serial": theirs, "ascii": theirs_ascii, "unit": UNIT, "values": VALUES}
    with open(os.path.join(folder, "peer.new"), "w", encoding="utf-8") as file:
        json.dump(ready, file)
    os.rename(os.path.join(folder, "peer.new"), os.path.join(folder, "peer.json"))
    asyncio.get_running_loop().add_reader(sys.stdin, lambda: os._exit(0))
    await serving


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

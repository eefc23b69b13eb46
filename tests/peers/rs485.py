"""One RS-485 on which a Modbus device and an electricity meter stand that Steward did not write, each at its own settings:
pymodbus at 19200 baud with two stop bits, PyPI dlt645 at 2400 baud with one.

    rs485.py DIR

The bus is a pseudo-terminal, which keeps the settings of whoever opens it. What comes reaches a device only when it was
sent at that device's settings; anything else is noise to both, and is counted. Writes DIR/peer.json when it serves, and
DIR/heard.json after each message: {settings: messages heard at them}. It ends when its standard input does.
"""

import asyncio
import collections
import fcntl
import json
import os
import struct
import sys
import termios
import threading
import tty

from dlt645.service.serversvc.server_service import MeterServerService
from pymodbus import FramerType
from pymodbus.server import StartAsyncSerialServer
from pymodbus.simulator import DataType, SimDevice

import device
import meter

ADDRESS = "210401230647"
MODBUS, METER = "19200 with 2 stop bits", "2400 with 1 stop bit"
# Linux: the settings with any rate, which the C library does not give (asm-generic/ioctls.h, termbits.h).
TCGETS2, TERMIOS2 = 0x802C542A, struct.Struct("=4I20B2I")


def put(folder, name, value):
    with open(os.path.join(folder, name + ".new"), "w", encoding="utf-8") as file:
        json.dump(value, file)
    os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))


class Bus:
    """The pseudo-terminal that the gateway opens, and the wire to each device."""

    def __init__(self, folder):
        self.folder, self.heard = folder, collections.Counter()
        self.inner, self.outer = os.openpty()
        tty.setraw(self.outer)
        self.wires = {}

    def path(self):
        return os.ttyname(self.outer)

    def settings(self):
        """Those in force at this moment; a pseudo-terminal forgets the parity alone."""
        settings = TERMIOS2.unpack(fcntl.ioctl(self.outer, TCGETS2, bytes(TERMIOS2.size)))
        control, rate = settings[2], settings[-1]
        return f"{rate} with " + ("2 stop bits" if control & termios.CSTOPB else "1 stop bit")

    def wire(self, settings):
        """Another device; the path that it is to open."""
        inner, outer = os.openpty()
        tty.setraw(outer)
        self.wires[settings] = inner
        threading.Thread(target=self.answers, args=(settings, inner), daemon=True).start()
        return os.ttyname(outer)

    def answers(self, settings, inner):
        while data := os.read(inner, 4096):
            if self.settings() != settings:
                self.note(f"an answer at {settings} while the port was at {self.settings()}")
            os.write(self.inner, data)

    def questions(self):
        while data := os.read(self.inner, 4096):
            now = self.settings()
            self.note(now)
            if now in self.wires:
                os.write(self.wires[now], data)

    def note(self, what):
        self.heard[what] += 1
        put(self.folder, "heard.json", self.heard)


async def main(folder):
    bus = Bus(folder)
    bits = [device.block(device.COILS, DataType.BITS), device.block(device.DISCRETE, DataType.BITS)]
    registers = [device.block(cells, DataType.REGISTERS) for cells in (device.HOLDING, device.INPUT)]
    unit = SimDevice(device.UNIT, simdata=(*bits, *registers))
    of_meter = MeterServerService.new_rtu_server(bus.wire(METER), 8, 1, 2400, "E", 1.0)
    meter.fill(of_meter, ADDRESS)
    rtu = {"framer": FramerType.RTU, "baudrate": 19200, "stopbits": 2, "parity": "N"}
    serving = asyncio.ensure_future(StartAsyncSerialServer(unit, port=bus.wire(MODBUS), **rtu))
    threading.Thread(target=bus.questions, daemon=True).start()
    put(
        folder,
        "peer.json",
        {
            "serial": bus.path(),
            "settings": {"modbus": MODBUS, "meter": METER},
            "modbus": {"address": device.UNIT, "values": device.VALUES},
            "meter": {"address": ADDRESS, "values": dict([*meter.ENERGY.values(), *meter.VARIABLES.values()])},
        },
    )
    asyncio.get_running_loop().add_reader(sys.stdin, lambda: os._exit(0))
    await serving


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

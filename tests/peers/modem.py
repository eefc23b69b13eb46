"""A modem that dials in, with a device behind it that Steward did not write: pymodbus serves Modbus RTU on loopback, and
every byte is carried between it and a connection that this program makes, as a transparent cellular modem does.

    modem.py DIR GATEWAY_PORT REGISTRATION UNIT

It says REGISTRATION first and "ping" each half second. Lines on its standard input: "drop" breaks the connection off in the
middle of the next answer and dials again, "twin" dials a second time with the same registration. It writes DIR/peer.json when
the device serves, and ends when its standard input does.
"""

import asyncio
import json
import os
import sys

from pymodbus import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

HEARTBEAT = b"ping"


class Modem:
    def __init__(self, device_port, gateway_port, registration):
        self.device_port, self.gateway_port = device_port, gateway_port
        self.registration = registration
        self.drop = False
        self.dialled = 0

    async def run(self):
        """Dials again and again."""
        while True:
            try:
                await self.dial()
            except OSError:
                pass
            await asyncio.sleep(0.5)

    async def dial(self):
        device_in, device_out = await asyncio.open_connection("127.0.0.1", self.device_port)
        hub_in, hub_out = await asyncio.open_connection("127.0.0.1", self.gateway_port)
        self.dialled += 1
        hub_out.write(self.registration)

        async def beat():
            while True:
                await asyncio.sleep(0.5)
                hub_out.write(HEARTBEAT)

        async def ask():
            while data := await hub_in.read(4096):
                device_out.write(data)

        async def answer():
            while data := await device_in.read(4096):
                if self.drop:
                    self.drop = False
                    hub_out.write(data[: len(data) // 2])
                    await hub_out.drain()
                    return
                hub_out.write(data)

        tasks = [asyncio.create_task(part()) for part in (beat, ask, answer)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        device_out.close()
        hub_out.close()


async def main(folder, gateway_port, registration, unit):
    device = SimDevice(unit, simdata=([SimData(0, values=[False], datatype=DataType.BITS)],) * 2 + (
        [SimData(0, values=[40000 + unit, 7], datatype=DataType.REGISTERS)],) * 2)
    server = ModbusTcpServer(device, framer=FramerType.RTU, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    device_port = server.transport.sockets[0].getsockname()[1]
    modem = Modem(device_port, gateway_port, registration.encode())
    modems = [asyncio.create_task(modem.run())]
    with open(os.path.join(folder, "peer.new"), "w", encoding="utf-8") as file:
        json.dump({"unit": unit, "value": 40000 + unit}, file)
    os.rename(os.path.join(folder, "peer.new"), os.path.join(folder, "peer.json"))

    def order():
        line = sys.stdin.readline()
        if not line:
            os._exit(0)
        if line.strip() == "drop":
            modem.drop = True
        if line.strip() == "twin":
            modems.append(asyncio.create_task(Modem(device_port, gateway_port, registration.encode()).dial()))

    asyncio.get_running_loop().add_reader(sys.stdin, order)
    await asyncio.gather(*modems)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))

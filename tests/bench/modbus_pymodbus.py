"""The peer of the Modbus benchmarks in Python: pymodbus reads the same blocks and throws them away.

    modbus_pymodbus.py tcp PERIOD_MS UNITS PORT...       each unit of each port once a period
    modbus_pymodbus.py rtu PATH BAUD UNITS REGISTERS     one unit after the other, as fast as it goes
"""

import asyncio
import sys
import time

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

REGISTERS, BLOCK = 2000, 125


async def read(client, unit, address, count):
    answer = await client.read_holding_registers(address, count=count, device_id=unit)
    assert not answer.isError() and len(answer.registers) == count


async def tcp(period, units, port):
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    due = time.monotonic()
    while True:
        for unit in range(1, units + 1):
            for address in range(0, REGISTERS, BLOCK):
                await read(client, unit, address, BLOCK)
        due = max(due + period, time.monotonic() - period)
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def rtu(path, baud, units, registers):
    client = AsyncModbusSerialClient(path, baudrate=baud, timeout=2)
    assert await client.connect()
    while True:
        for unit in range(1, units + 1):
            await read(client, unit, 0, registers)


async def main(way, words):
    if way == "tcp":
        period, units, *ports = map(int, words)
        await asyncio.gather(*(tcp(period / 1000, units, port) for port in ports))
    else:
        path, *numbers = words
        await rtu(path, *map(int, numbers))


asyncio.run(main(sys.argv[1], sys.argv[2:]))

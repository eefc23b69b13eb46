"""The peer of the polling benchmark: reads every block of every unit once a period with pymodbus.

    poll_pymodbus.py PORT UNITS PERIOD_MS
"""

import asyncio
import sys
import time

from pymodbus.client import AsyncModbusTcpClient

POINTS, BLOCK = 1000, 125


async def main(port, units, period):
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    due = time.monotonic()
    while True:
        for unit in range(1, units + 1):
            for address in range(0, POINTS, BLOCK):
                answer = await client.read_holding_registers(address, count=BLOCK, device_id=unit)
                assert not answer.isError() and len(answer.registers) == BLOCK
        due = max(due + period, time.monotonic() - period)
        await asyncio.sleep(max(0.0, due - time.monotonic()))


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) / 1000))

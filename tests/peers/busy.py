"""A device that takes many questions at once and needs 20 ms for each: its frames are read and made by pymodbus's framer, and
answers go out when they are ready, the later ones often before the earlier.

    busy.py DIR TCP_PORT

Register n of unit u is 256 * u + n. Unit 9 never answers. It writes DIR/peer.json when it serves; it ends when its standard input
does.
"""

import asyncio
import json
import os
import sys

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.register_message import ReadHoldingRegistersResponse

TURNAROUND_S = 0.020
DEAD = 9


async def serve(reader, writer):
    framer = FramerSocket(DecodePDU(True))
    pending, turn = b"", 0

    async def answer(request, late):
        await asyncio.sleep(TURNAROUND_S + late)
        values = [256 * request.dev_id + n for n in range(request.address, request.address + request.count)]
        reply = ReadHoldingRegistersResponse(
            dev_id=request.dev_id, transaction_id=request.transaction_id, registers=values
        )
        writer.write(framer.buildFrame(reply))

    while data := await reader.read(4096):
        pending += data
        while pending:
            used, request = framer.handleFrame(pending, 0, 0)
            pending = pending[used:]
            if request is None:
                break
            turn += 1
            if request.dev_id != DEAD:
                asyncio.create_task(answer(request, 0.004 * (turn % 3 == 0)))


async def main(folder, port):
    await asyncio.start_server(serve, "127.0.0.1", port)
    with open(os.path.join(folder, "peer.new"), "w", encoding="utf-8") as file:
        json.dump({"dead": DEAD}, file)
    os.rename(os.path.join(folder, "peer.new"), os.path.join(folder, "peer.json"))
    asyncio.get_running_loop().add_reader(sys.stdin, lambda: os._exit(0))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

"""Both ends of the BACnet benchmark in bacpypes3.

    bacnet.py devices PORT DEVICES OBJECTS            devices 2001, 2002, … on 127.0.0.20 and the addresses after it
    bacnet.py read PORT DEVICES OBJECTS PERIOD_MS OWN_PORT
                                                      reads the present value of each object once a period

The reader has a port of its own: what bacpypes3 sends to its own port on any address of the loopback, it answers itself.
Either writes a line to its standard output: the devices when they serve, the reader after each round how many values it
has.
"""

import asyncio
import sys

from bacpypes3.apdu import AbortPDU, ErrorRejectAbortNack
from bacpypes3.basetypes import EngineeringUnits
from bacpypes3.ipv4.app import NormalApplication
from bacpypes3.local.analog import AnalogInputObject
from bacpypes3.local.device import DeviceObject
from bacpypes3.pdu import Address, IPv4Address
from bacpypes3.primitivedata import ObjectIdentifier


def device(instance):
    return DeviceObject(
        objectIdentifier=("device", instance),
        objectName=f"device-{instance}",
        vendorIdentifier=999,
        maxApduLengthAccepted=1476,
    )


async def opened(app):
    await asyncio.gather(*app.normal.server._transport_tasks)


async def devices(port, count, objects):
    apps = []
    for i in range(count):
        app = NormalApplication(device(2001 + i), IPv4Address(f"127.0.0.{20 + i}/8:{port}"))
        for n in range(1, objects + 1):
            app.add_object(
                AnalogInputObject(
                    objectIdentifier=("analog-input", n),
                    objectName=f"input-{n}",
                    presentValue=float(n) / 2,
                    units=EngineeringUnits.degreesCelsius,
                    covIncrement=0.1,
                )
            )
        await opened(app)
        apps.append(app)
    print("ready", flush=True)
    await asyncio.Event().wait()


async def read(port, count, objects, period, own_port):
    app = NormalApplication(device(3999), IPv4Address(f"127.0.0.19/8:{own_port}"))
    await opened(app)
    loop = asyncio.get_running_loop()
    wanted = []
    for n in range(1, objects + 1):
        wanted += [ObjectIdentifier(f"analog-input,{n}"), ["present-value"]]

    async def one(i):
        try:
            return len(await app.read_property_multiple(Address(f"127.0.0.{20 + i}:{port}"), wanted))
        except (ErrorRejectAbortNack, AbortPDU) as error:
            print(f"{error}", file=sys.stderr)
            return 0

    due = loop.time()
    while True:
        print(sum(await asyncio.gather(*(one(i) for i in range(count)))), flush=True)
        due += period
        await asyncio.sleep(max(0.0, due - loop.time()))


async def main(way, port, count, objects, *more):
    if way == "devices":
        await devices(int(port), int(count), int(objects))
    else:
        period, own_port = more
        await read(int(port), int(count), int(objects), int(period) / 1000, int(own_port))


asyncio.run(main(*sys.argv[1:]))

"""A client of BACnet/IP that Steward did not write: bacpypes3 asks a simulated device and writes down what it says.

    bacnet_client.py DIR PORT INSTANCE OWN

The device is at 127.0.0.10:PORT, the client at 127.0.0.30:OWN: what bacpypes3 sends to its own port on the loopback it
hands to itself. Writes DIR/peer.json: {"i_am": [..], "read": {..},
"list": [..], "multiple": [..], "errors": {..}, "written": {..}, "changes": [..]}.
"""

import asyncio
import json
import os
import sys

from bacpypes3.apdu import ErrorRejectAbortNack
from bacpypes3.basetypes import PriorityValue
from bacpypes3.constructeddata import AnyAtomic
from bacpypes3.ipv4.app import NormalApplication
from bacpypes3.local.device import DeviceObject
from bacpypes3.pdu import Address, IPv4Address
from bacpypes3.primitivedata import Null, ObjectIdentifier, Real
from bacpypes3.service.cov import ChangeOfValueServices


class Client(NormalApplication, ChangeOfValueServices):
    pass


def plain(value):
    if isinstance(value, AnyAtomic):
        value = value.get_value()
    if isinstance(value, (list, tuple)) and not isinstance(value, ObjectIdentifier):
        return [plain(v) for v in value]
    if isinstance(value, PriorityValue):
        value = getattr(value, value._choice)
        return "null" if isinstance(value, Null) or value == () else plain(value)
    if type(value).__name__ == "ErrorType":
        return f"{value.errorClass}: {value.errorCode}"
    if isinstance(value, float):
        return float(value)
    return str(value)


async def main():
    folder, port, instance, own = sys.argv[1:5]
    me = DeviceObject(objectIdentifier=("device", 900), objectName="client", vendorIdentifier=999)
    app = Client(me, IPv4Address(f"127.0.0.30/8:{own}"))
    await asyncio.gather(*app.normal.server._transport_tasks)
    at = Address(f"127.0.0.10:{port}")
    device = ObjectIdentifier(f"device,{instance}")

    async def read(object_id, prop, index=None):
        try:
            return plain(await app.read_property(at, ObjectIdentifier(object_id), prop, index))
        except ErrorRejectAbortNack as error:
            return f"! {error}"

    told = {}
    answers = await app.who_is(int(instance) - 1, int(instance) + 1, at)
    told["i_am"] = [
        [
            str(a.iAmDeviceIdentifier),
            int(a.maxAPDULengthAccepted),
            str(a.segmentationSupported),
            int(a.vendorID),
            str(a.pduSource),
        ]
        for a in answers
    ]
    told["nobody"] = len(await app.who_is(int(instance) + 1, int(instance) + 9, at, timeout=1))

    told["read"] = {
        prop: await read(str(device), prop)
        for prop in (
            "object-name vendor-name model-name protocol-services-supported protocol-object-types-supported "
            "max-apdu-length-accepted segmentation-supported system-status database-revision property-list "
            "device-address-binding"
        ).split()
    }
    told["list"] = await read(str(device), "object-list")
    told["length"] = await read(str(device), "object-list", 0)
    told["second"] = await read(str(device), "object-list", 2)
    told["whichever"] = await read("device,4194303", "object-identifier")

    results = await app.read_property_multiple(
        at,
        [
            ObjectIdentifier("analog-input,4"),
            ["present-value", "units", "status-flags", "description", "out-of-service", "cov-increment"],
            ObjectIdentifier("analog-output,3"),
            ["all"],
            ObjectIdentifier("analog-input,999"),
            ["present-value"],
        ],
    )
    told["multiple"] = [[str(o), str(p), plain(v)] for (o, p, _i, v) in results]

    told["errors"] = {
        "object": await read("analog-input,999", "present-value"),
        "property": await read("analog-input,4", "priority-array"),
        "index": await read(str(device), "object-list", 99999),
        "array": await read("analog-input,4", "units", 1),
    }

    async def write(object_id, value, priority=None, prop="present-value"):
        try:
            await app.write_property(at, ObjectIdentifier(object_id), prop, value, None, priority)
            return "ok"
        except ErrorRejectAbortNack as error:
            return f"! {error}"

    told["written"] = {
        "low": await write("analog-output,3", Real(40.0), 12),
        "high": await write("analog-output,3", Real(77.5), 8),
    }
    told["written"]["value"] = await read("analog-output,3", "present-value")
    told["written"]["array"] = await read("analog-output,3", "priority-array")
    told["written"]["give up high"] = await write("analog-output,3", Null(()), 8)
    told["written"]["then"] = await read("analog-output,3", "present-value")
    told["written"]["give up low"] = await write("analog-output,3", Null(()), 12)
    told["written"]["denied"] = await write("analog-input,4", Real(1.0))
    told["written"]["name"] = await write("analog-output,3", "x", None, "object-name")

    changes = []
    for confirmed in (False, True):
        async with app.change_of_value(at, ObjectIdentifier("analog-output,3"), 7, confirmed, 60) as scm:
            seen = {}
            while len(seen) < 2:
                prop, value = await asyncio.wait_for(scm.get_value(), 10)
                seen[str(prop)] = plain(value)
            await write("analog-output,3", Real(11.0 if confirmed else 12.0), 9)
            while True:
                prop, value = await asyncio.wait_for(scm.get_value(), 10)
                if str(prop) == "present-value" and plain(value) in (11.0, 12.0):
                    seen["then"] = plain(value)
                    break
            changes.append(seen)
            await write("analog-output,3", Null(()), 9)
    told["changes"] = changes

    ready = os.path.join(folder, "peer.json")
    with open(ready + ".new", "w", encoding="utf-8") as file:
        json.dump(told, file)
    os.rename(ready + ".new", ready)
    app.close()


asyncio.run(main())

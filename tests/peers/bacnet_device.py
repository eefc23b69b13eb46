"""BACnet/IP devices that Steward did not write: bacpypes3 serves three of them on addresses of the loopback.

    bacnet_device.py DIR PORT

    127.0.0.10  device 1001: 605 objects, segmented answers, changes of value, names in several character sets
    127.0.0.11  device 1002: 600 objects, cannot cut its answers, 480 bytes at most
    127.0.0.12  device 1003: a BBMD that takes foreign devices

Writes DIR/peer.json when they serve: {"names": {instance: the name as it must be read}}. Takes one command a line on its
standard input, and ends when that does:

    mute     device 1001 grants subscriptions to changes of value as ever, and what it tells of them gets lost
    speak    and reaches its listeners again
    forget   it loses its subscriptions, as one that starts anew

Names in a double-byte character set, which bacpypes3 does not write, are encoded by Python's codec.
"""

import asyncio
import json
import os
import sys
import threading

from bacpypes3.apdu import ConfirmedCOVNotificationRequest, UnconfirmedCOVNotificationRequest
from bacpypes3.basetypes import EngineeringUnits, Segmentation
from bacpypes3.ipv4.app import BBMDApplication, NormalApplication
from bacpypes3.local.analog import AnalogInputObject, AnalogOutputObject
from bacpypes3.local.binary import BinaryInputObject
from bacpypes3.local.device import DeviceObject
from bacpypes3.pdu import IPv4Address
from bacpypes3.primitivedata import CharacterString
from bacpypes3.primitivedata import ApplicationTag, TagList, TagNumber
from bacpypes3.service.cov import ChangeOfValueServices


class Device(NormalApplication, ChangeOfValueServices):
    muted = False

    def request(self, apdu):
        notices = (ConfirmedCOVNotificationRequest, UnconfirmedCOVNotificationRequest)
        if self.muted and isinstance(apdu, notices):
            lost = asyncio.get_running_loop().create_future()
            lost.set_result(None)
            return lost
        return super().request(apdu)

    def forget(self):
        for detection in list(self._cov_detections.values()):
            for subscription in list(detection.cov_subscriptions):
                self.cancel_subscription(subscription)


class Utf32(CharacterString):
    _encoding = 3


class Ucs2(CharacterString):
    _encoding = 4


class Latin1(CharacterString):
    _encoding = 5


class Gb18030(CharacterString):
    """Character set 1: the code page in two bytes, then the text in it."""

    def encode(self):
        data = b"\x01" + (936).to_bytes(2, "big") + str.encode(self, "gb18030")
        return TagList([ApplicationTag(TagNumber.characterString, data)])


NAMES = {
    1: CharacterString("送风温度"),
    2: Utf32("送风温度 ①"),
    3: Ucs2("回风湿度"),
    4: Latin1("Außenluft °C"),
    5: Gb18030("冷冻水供水温度"),
}


def device(instance, **more):
    return DeviceObject(
        objectIdentifier=("device", instance),
        objectName=f"device-{instance}",
        vendorIdentifier=999,
        **more,
    )


def inputs(app, count):
    objects = []
    for i in range(1, count + 1):
        objects.append(
            AnalogInputObject(
                objectIdentifier=("analog-input", i),
                objectName=f"input-{i}",
                description=NAMES.get(i, CharacterString(f"input {i}")),
                presentValue=float(i) / 2,
                units=EngineeringUnits.degreesCelsius,
                covIncrement=0.1,
            )
        )
        app.add_object(objects[-1])
    return objects


async def change(value):
    while True:
        await asyncio.sleep(0.3)
        value.presentValue = value.presentValue + 1.0


async def main():
    folder, port = sys.argv[1], sys.argv[2]
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    big = Device(device(1001, maxApduLengthAccepted=1024), IPv4Address(f"127.0.0.10/8:{port}"))
    first = inputs(big, 600)[0]
    big.add_object(
        AnalogOutputObject(
            objectIdentifier=("analog-output", 1),
            objectName="valve",
            presentValue=42.0,
            relinquishDefault=42.0,
            covIncrement=0.1,
        )
    )
    # What a device says itself not to trust: out of service, and faulty.
    big.add_object(
        AnalogInputObject(
            objectIdentifier=("analog-input", 1001),
            objectName="by-hand",
            presentValue=21.0,
            units=EngineeringUnits.degreesCelsius,
            outOfService=True,
            covIncrement=0.1,
        )
    )
    big.add_object(
        AnalogInputObject(
            objectIdentifier=("analog-input", 1002),
            objectName="broken",
            presentValue=-50.0,
            units=EngineeringUnits.degreesCelsius,
            reliability="no-sensor",
            covIncrement=0.1,
        )
    )
    big.add_object(
        BinaryInputObject(objectIdentifier=("binary-input", 1), objectName="fan", presentValue="active")
    )
    plain = Device(
        device(1002, maxApduLengthAccepted=480, segmentationSupported=Segmentation.noSegmentation),
        IPv4Address(f"127.0.0.11/8:{port}"),
    )
    inputs(plain, 600)
    bbmd = BBMDApplication(device(1003), IPv4Address(f"127.0.0.12/8:{port}"))
    # The sockets are opened by tasks of bacpypes3: nobody is told before they are there.
    for server in (big.normal.server, plain.normal.server, bbmd.server):
        await asyncio.gather(*server._transport_tasks)
    changing = asyncio.create_task(change(first))

    def obey(command):
        if command == "forget":
            big.forget()
        else:
            big.muted = command == "mute"

    def until_closed():
        for line in sys.stdin:
            loop.call_soon_threadsafe(obey, line.strip())
        loop.call_soon_threadsafe(stopped.set)

    threading.Thread(target=until_closed, daemon=True).start()

    ready = os.path.join(folder, "peer.json")
    with open(ready + ".new", "w", encoding="utf-8") as file:
        json.dump({"names": {str(i): str(name) for i, name in NAMES.items()}}, file)
    os.rename(ready + ".new", ready)
    await stopped.wait()
    changing.cancel()
    for app in (big, plain, bbmd):
        app.close()


asyncio.run(main())

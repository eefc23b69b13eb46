"""BACnet/IP devices with alarms of their own, which Steward did not write: bacpypes3 on addresses of the loopback.

    bacnet_alarms.py DIR PORT LISTENER

    127.0.0.13  device 1010: analog inputs 1 to 3 with intrinsic reporting (clause 13.2), limits 10 and 30, which start
                above, below and above them; tells LISTENER (address:port) of each change
    127.0.0.14, 127.0.0.15  two devices that both say that they are 1020

Writes DIR/peer.json when they serve. Takes one command a line on its standard input, and ends when that does:

    set INSTANCE VALUE   an input measures this now
    confirmed            from now on a change is told until it is acknowledged
    quiet                nobody is told of changes any more

The algorithm and the notices are bacpypes3's. It has the messages of GetEventInformation but no answer to it: that is
made here, two alarms at a time, out of its objects.
"""

import asyncio
import json
import os
import sys
import threading

from bacpypes3.apdu import GetEventInformationACK
from bacpypes3.basetypes import (
    DaysOfWeek,
    Destination,
    DeviceAddress,
    EngineeringUnits,
    EventState,
    EventTransitionBits,
    GetEventInformationEventSummary,
    LimitEnable,
    NotifyType,
    Recipient,
    TimeStamp,
)
from bacpypes3.ipv4.app import NormalApplication
from bacpypes3.local.analog import AnalogInputObjectIR
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.object import Object
from bacpypes3.object import NotificationClassObject as _NotificationClassObject
from bacpypes3.pdu import IPv4Address
from bacpypes3.primitivedata import CharacterString, Time

AT_ONCE = 2


class NotificationClassObject(Object, _NotificationClassObject):
    pass


class Device(NormalApplication):
    inputs = ()

    async def do_GetEventInformationRequest(self, apdu):
        last = apdu.lastReceivedObjectIdentifier
        active = [o for o in self.inputs if o.eventState != EventState.normal]
        active = [o for o in active if last is None or o.objectIdentifier[1] > last[1]]
        summaries = [
            GetEventInformationEventSummary(
                objectIdentifier=o.objectIdentifier,
                eventState=o.eventState,
                acknowledgedTransitions=o.ackedTransitions,
                eventTimeStamps=list(o.eventTimeStamps),
                notifyType=o.notifyType,
                eventEnable=o.eventEnable,
                eventPriorities=[100, 100, 200],
            )
            for o in active[:AT_ONCE]
        ]
        ack = GetEventInformationACK(
            listOfEventSummaries=summaries, moreEvents=len(active) > AT_ONCE, context=apdu
        )
        await self.response(ack)


def device(instance, address, port):
    me = DeviceObject(objectIdentifier=("device", instance), objectName=f"device-{instance}", vendorIdentifier=999)
    return Device(me, IPv4Address(f"{address}/8:{port}"))


def alarmed(number, value):
    return AnalogInputObjectIR(
        objectIdentifier=("analog-input", number),
        objectName=f"input-{number}",
        presentValue=value,
        units=EngineeringUnits.degreesCelsius,
        covIncrement=0.1,
        timeDelay=0,
        notificationClass=1,
        highLimit=30.0,
        lowLimit=10.0,
        deadband=1.0,
        limitEnable=LimitEnable([1, 1]),
        eventEnable=EventTransitionBits([1, 1, 1]),
        ackedTransitions=EventTransitionBits([1, 1, 1]),
        notifyType=NotifyType.alarm,
        eventTimeStamps=[TimeStamp(time=Time((255, 255, 255, 255)))] * 3,
        eventMessageTexts=[CharacterString("")] * 3,
        eventMessageTextsConfig=["送风温度超限", "fault", "ok"],
        eventDetectionEnable=True,
        eventState=EventState.normal,
    )


async def main():
    folder, port, listener = sys.argv[1:4]
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    app = device(1010, "127.0.0.13", port)
    host, to = listener.split(":")
    mac = bytes(int(n) for n in host.split(".")) + int(to).to_bytes(2, "big")
    told = Destination(
        validDays=DaysOfWeek([1] * 7),
        fromTime=Time((0, 0, 0, 0)),
        toTime=Time((23, 59, 59, 99)),
        recipient=Recipient(address=DeviceAddress(networkNumber=0, macAddress=mac)),
        processIdentifier=7,
        issueConfirmedNotifications=False,
        transitions=EventTransitionBits([1, 1, 1]),
    )
    tells = NotificationClassObject(
        objectIdentifier=("notification-class", 1),
        objectName="class-1",
        notificationClass=1,
        priority=[100, 100, 200],
        ackRequired=EventTransitionBits([0, 0, 0]),
        recipientList=[told],
    )
    app.add_object(tells)
    app.inputs = [alarmed(number, 20.0) for number in (1, 2, 3)]
    for one in app.inputs:
        app.add_object(one)
        one._notification_class_object = tells
    twins = [device(1020, f"127.0.0.{host}", port) for host in (14, 15)]
    for one in (app, *twins):
        await asyncio.gather(*one.normal.server._transport_tasks)
    # Let the algorithms see where they begin.
    await asyncio.sleep(0.1)
    for one, value in zip(app.inputs, (35.0, 5.0, 31.0)):
        one.presentValue = value
    await asyncio.sleep(0.1)

    def obey(line):
        words = line.split()
        if words[0] == "set":
            app.inputs[int(words[1]) - 1].presentValue = float(words[2])
        elif words[0] == "confirmed":
            told.issueConfirmedNotifications = True
            tells.recipientList = [told]
        elif words[0] == "quiet":
            tells.recipientList = []

    def until_closed():
        for line in sys.stdin:
            loop.call_soon_threadsafe(obey, line)
        loop.call_soon_threadsafe(stopped.set)

    threading.Thread(target=until_closed, daemon=True).start()

    ready = os.path.join(folder, "peer.json")
    states = {str(one.objectIdentifier): str(one.eventState) for one in app.inputs}
    with open(ready + ".new", "w", encoding="utf-8") as file:
        json.dump({"states": states}, file)
    os.rename(ready + ".new", ready)
    await stopped.wait()
    for one in (app, *twins):
        one.close()


asyncio.run(main())

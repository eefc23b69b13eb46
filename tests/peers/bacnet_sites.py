"""A BACnet internetwork that Steward did not write: two IP networks joined by BBMDs, and a network behind routers, all
bacpypes3 on addresses of the loopback. The two IP networks are two ports: a broadcast on one is not heard on the other.

    bacnet_sites.py DIR PORT OTHER

    127.0.0.16:PORT   device 1003, the BBMD of the first network; takes foreign devices
    127.0.0.17:OTHER  device 1004, the BBMD of the second
    127.0.0.18:OTHER  device 1021 of the second network
    127.0.0.19:PORT   a router to network 2001, where device 1030 is station 5
    127.0.0.20:PORT   a router to network 2002 that says, when it is told to, that it leads to 2001

Writes DIR/peer.json when they serve. Takes one command a line on its standard input, and ends when that does:

    announce   device 1021 introduces itself to all
    claim      the first router says to all that it leads to network 2001, and so does the second
"""

import asyncio
import json
import os
import sys
import threading

from bacpypes3.app import Application
from bacpypes3.appservice import ApplicationServiceAccessPoint
from bacpypes3.basetypes import EngineeringUnits
from bacpypes3.comm import bind
from bacpypes3.ipv4.app import BBMDApplication, NormalApplication
from bacpypes3.ipv4.link import NormalLinkLayer
from bacpypes3.local.analog import AnalogInputObject
from bacpypes3.local.device import DeviceObject
from bacpypes3.netservice import NetworkServiceAccessPoint, NetworkServiceElement
from bacpypes3.npdu import IAmRouterToNetwork
from bacpypes3.pdu import GlobalBroadcast, IPv4Address, LocalBroadcast, LocalStation
from bacpypes3.vlan import VirtualNetwork
from bacpypes3.vlan.link import VirtualLinkLayer


def device(instance):
    return DeviceObject(
        objectIdentifier=("device", instance), objectName=f"device-{instance}", vendorIdentifier=999
    )


class Behind(NormalApplication):
    """A device on a virtual network: what NormalApplication is on an IP network."""

    def __init__(self, me, station, network):
        Application.__init__(self)
        self.asap = ApplicationServiceAccessPoint(me, self.device_info_cache)
        self.nsap = NetworkServiceAccessPoint()
        self.nse = NetworkServiceElement()
        bind(self.nse, self.nsap)
        bind(self, self.asap, self.nsap)
        self.normal = VirtualLinkLayer(LocalStation(station), network)
        self.nsap.bind(self.normal, address=LocalStation(station))
        self.add_object(me)


class Router:
    """Joins network 100, which is the IP network of PORT, with a virtual one."""

    def __init__(self, address, number, network):
        VirtualNetwork(network)
        self.nsap = NetworkServiceAccessPoint()
        self.nse = NetworkServiceElement()
        bind(self.nse, self.nsap)
        self.link = NormalLinkLayer(address)
        self.nsap.bind(self.link, 100, address)
        self.nsap.bind(VirtualLinkLayer(LocalStation(1), network), number)

    async def claim(self, number):
        told = IAmRouterToNetwork([number])
        told.pduDestination = LocalBroadcast()
        await self.nse.request(self.nsap.adapters[100], told)


async def main():
    folder, port, other = sys.argv[1:4]
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    first = BBMDApplication(device(1003), IPv4Address(f"127.0.0.16/8:{port}"))
    second = BBMDApplication(device(1004), IPv4Address(f"127.0.0.17/8:{other}"))
    for bbmd in (first, second):
        bbmd.add_peer(IPv4Address(f"127.0.0.16:{port}"))
        bbmd.add_peer(IPv4Address(f"127.0.0.17:{other}"))
    far = NormalApplication(device(1021), IPv4Address(f"127.0.0.18/8:{other}"))
    router = Router(IPv4Address(f"127.0.0.19/8:{port}"), 2001, "floor")
    rival = Router(IPv4Address(f"127.0.0.20/8:{port}"), 2002, "roof")
    behind = Behind(device(1030), 5, "floor")
    for number, app in ((1021, far), (1030, behind)):
        app.add_object(
            AnalogInputObject(
                objectIdentifier=("analog-input", 1),
                objectName="input-1",
                presentValue=float(number),
                units=EngineeringUnits.degreesCelsius,
                covIncrement=0.1,
            )
        )
    servers = (first.server, second.server, far.normal.server, router.link.server, rival.link.server)
    for server in servers:
        await asyncio.gather(*server._transport_tasks)

    async def claim():
        for one in (router, rival):
            await one.claim(2001)
            await asyncio.sleep(0.2)

    def obey(command):
        if command == "announce":
            far.i_am(address=GlobalBroadcast())
        elif command == "claim":
            asyncio.ensure_future(claim())

    def until_closed():
        for line in sys.stdin:
            loop.call_soon_threadsafe(obey, line.strip())
        loop.call_soon_threadsafe(stopped.set)

    threading.Thread(target=until_closed, daemon=True).start()

    ready = os.path.join(folder, "peer.json")
    with open(ready + ".new", "w", encoding="utf-8") as file:
        json.dump({}, file)
    os.rename(ready + ".new", ready)
    await stopped.wait()
    for server in servers:
        server.close()


asyncio.run(main())

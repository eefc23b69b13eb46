"""Prints bacpypes3.txt: frames of BACnet/IP and of its network layer as bacpypes3 writes them.

    python make.py > bacpypes3.txt
"""

from bacpypes3 import __version__
from bacpypes3.ipv4 import bvll
from bacpypes3 import npdu as network
from bacpypes3.pdu import Address, GlobalBroadcast, IPv4Address, RemoteBroadcast, RemoteStation, PDU
from bacpypes3.apdu import (
    AbortPDU,
    ComplexAckPDU,
    ReadPropertyRequest,
    RejectPDU,
    SegmentAckPDU,
    SubscribeCOVRequest,
    WritePropertyRequest,
)
from bacpypes3.constructeddata import AnyAtomic
from bacpypes3.primitivedata import Null, ObjectIdentifier, Real


def show(name, pdu):
    print(f"{name:30}{bytes(pdu.pduData).hex().upper()}")


APDU = bytes.fromhex("1008")

print(f"# Made by make.py with bacpypes3 {__version__}. A name, then the bytes.")
print("# BACnet/IP (Annex J)")
show("bvlc-result-ok", bvll.Result(0).encode())
show("bvlc-result-refused", bvll.Result(0x30).encode())
show("bvlc-register", bvll.RegisterForeignDevice(300).encode())
show("bvlc-forwarded", bvll.ForwardedNPDU(IPv4Address("10.77.2.10:47808"), PDU(b"\x01\x00" + APDU)).encode())
show("bvlc-distribute", bvll.DistributeBroadcastToNetwork(PDU(b"\x01\x00" + APDU)).encode())
show("bvlc-unicast", bvll.OriginalUnicastNPDU(PDU(b"\x01\x00" + APDU)).encode())
show("bvlc-broadcast", bvll.OriginalBroadcastNPDU(PDU(b"\x01\x00" + APDU)).encode())


def header(name, destination=None, source=None, reply=False):
    pdu = network.NPDU()
    pdu.npduVersion = 1
    pdu.npduDADR = destination
    pdu.npduSADR = source
    pdu.npduHopCount = 255
    pdu.pduExpectingReply = reply
    pdu.pduData = bytearray(APDU)
    show(name, pdu.encode())


print("# The network layer (clause 6)")
header("npdu-global", GlobalBroadcast())
header("npdu-network", RemoteBroadcast(2001))
header("npdu-station", RemoteStation(2001, 17), reply=True)
header("npdu-source", source=RemoteStation(2001, 17))
header("npdu-both", GlobalBroadcast(), RemoteStation(2001, b"\x0a\x4d\x02\x0a\xba\xc0"))


def message(name, pdu):
    show(name, pdu.encode())


message("who-is-router", network.WhoIsRouterToNetwork())
message("who-is-router-2001", network.WhoIsRouterToNetwork(2001))
message("i-am-router", network.IAmRouterToNetwork([2001, 2002]))
message("reject-network", network.RejectMessageToNetwork(1, 2001))
message("router-busy", network.RouterBusyToNetwork([2001]))


def apdu(name, pdu):
    pdu.pduSource = pdu.pduDestination = None
    show(name, pdu.encode())


print("# The application layer (clause 20.1)")
segment = ComplexAckPDU(12, 7)
segment.apduSeg, segment.apduMor, segment.apduSeq, segment.apduWin = True, True, 3, 16
segment.pduData = bytearray(b"\xAA\xBB")
apdu("apdu-segment", segment)
apdu("apdu-segment-ack", SegmentAckPDU(0, 0, 7, 3, 16))
apdu("apdu-segment-nak", SegmentAckPDU(1, 0, 7, 3, 16))
apdu("apdu-abort", AbortPDU(True, 7, 4))
apdu("apdu-our-abort", AbortPDU(False, 7, 10))
apdu("apdu-reject", RejectPDU(7, 9))


def request(name, pdu):
    encoded = pdu.encode()
    show(name, encoded)


print("# Content of requests (clauses 13 and 15)")
valve = ObjectIdentifier("analog-output,1")
request("write-priority-8", WritePropertyRequest(
    objectIdentifier=valve, propertyIdentifier="present-value", propertyValue=AnyAtomic(Real(77.5)), priority=8))
request("write-relinquish", WritePropertyRequest(
    objectIdentifier=valve, propertyIdentifier="present-value", propertyValue=AnyAtomic(Null(())), priority=8))
request("write-vendor-property", WritePropertyRequest(
    objectIdentifier=valve, propertyIdentifier=5021, propertyValue=AnyAtomic(Real(1.0))))
request("read-element-600", ReadPropertyRequest(
    objectIdentifier=ObjectIdentifier("device,1001"), propertyIdentifier="object-list", propertyArrayIndex=600))
request("subscribe-300", SubscribeCOVRequest(
    subscriberProcessIdentifier=18, monitoredObjectIdentifier=valve, issueConfirmedNotifications=False, lifetime=300))
request("unsubscribe", SubscribeCOVRequest(subscriberProcessIdentifier=18, monitoredObjectIdentifier=valve))

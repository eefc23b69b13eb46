"""Makes a sample frame for a BACnet profile by other people's code: a ReadPropertyMultiple of present values and its
answer, as bacpypes3 writes them. Our own encoder has no part in what our decoder is tried on.

    python sample.py analog-input:1=11.91 multi-state-value:361=u3 binary-value:445=e1

Each argument is an object and its present value: a number alone is a real, `u` goes before an unsigned number, `e`
before an enumeration.
"""

import sys

from bacpypes3.apdu import ReadPropertyMultipleACK, ReadPropertyMultipleRequest
from bacpypes3.basetypes import (
    BinaryPV,
    PropertyReference,
    ReadAccessResult,
    ReadAccessResultElement,
    ReadAccessResultElementChoice,
    ReadAccessSpecification,
)
from bacpypes3.constructeddata import AnyAtomic
from bacpypes3.ipv4.bvll import OriginalUnicastNPDU
from bacpypes3.npdu import NPDU
from bacpypes3.pdu import PDU
from bacpypes3.primitivedata import ObjectIdentifier, Real, Unsigned


def value(text):
    if text.startswith("u"):
        return Unsigned(int(text[1:]))
    if text.startswith("e"):
        return BinaryPV(int(text[1:]))
    return Real(float(text))


def datagram(apdu, reply):
    npdu = NPDU()
    npdu.npduVersion = 1
    npdu.pduExpectingReply = reply
    npdu.pduData = bytearray(apdu)
    frame = OriginalUnicastNPDU(PDU(bytes(npdu.encode().pduData))).encode()
    return bytes(frame.pduData).hex(" ").upper()


asked, told = [], []
for argument in sys.argv[1:]:
    name, given = argument.split("=")
    kind, instance = name.split(":")
    object_id = ObjectIdentifier(f"{kind},{instance}")
    reference = PropertyReference(propertyIdentifier="present-value")
    asked.append(ReadAccessSpecification(objectIdentifier=object_id, listOfPropertyReferences=[reference]))
    element = ReadAccessResultElement(
        propertyIdentifier="present-value",
        readResult=ReadAccessResultElementChoice(propertyValue=AnyAtomic(value(given))),
    )
    told.append(ReadAccessResult(objectIdentifier=object_id, listOfResults=[element]))

request = ReadPropertyMultipleRequest(listOfReadAccessSpecs=asked).encode()
answer = ReadPropertyMultipleACK(listOfReadAccessResults=told).encode()
# The headers of a confirmed request (more than 64 segments, 1476 bytes) and of its acknowledgement, invoke id 1.
REQUEST, ANSWER = b"\x02\x75\x01\x0e", b"\x30\x01\x0e"
print(f'request = "{datagram(REQUEST + bytes(request.pduData), True)}"')
print(f'response = "{datagram(ANSWER + bytes(answer.pduData), False)}"')

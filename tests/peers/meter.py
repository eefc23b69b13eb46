"""DL/T 645 meters that Steward did not write: PyPI dlt645 serves one over TCP and one on a pseudo-terminal.

    meter.py DIR TCP_PORT

Writes DIR/peer.json when it serves: {"serial": path, "addresses": {line: meter}, "values": {point: what it must read
as}}. It ends when its standard input does. Every number is put into bytes by that package.
"""

import json
import os
import sys
import threading
import tty

from dlt645.service.serversvc.server_service import MeterServerService

ADDRESSES = {"tcp": "210401230645", "serial": "210401230646"}
ENERGY = {0x00010000: ("active-energy-import", 123456.78), 0x00020000: ("active-energy-export", 0.07)}
VARIABLES = {
    0x02010100: ("voltage", 231.4),
    0x02020100: ("current", 5.123),
    0x02030000: ("active-power", -3.1234),
    0x02060000: ("power-factor", -0.987),
    0x02800002: ("frequency", 49.98),
}


def fill(meter, address):
    # The package keeps an address as it stands on the wire.
    meter.set_address(bytes.fromhex(address)[::-1])
    for item, (_, value) in ENERGY.items():
        assert meter.set_00(item, value)
    for item, (_, value) in VARIABLES.items():
        assert meter.set_02(item, value)
    assert meter.start()


def a_wire():
    """Two pseudo-terminals, back to back; the paths of their outer ends."""
    ends = [os.openpty(), os.openpty()]
    for _, outer in ends:
        tty.setraw(outer)

    def carry(source, sink):
        while data := os.read(source, 4096):
            os.write(sink, data)

    for source, sink in ((0, 1), (1, 0)):
        threading.Thread(target=carry, args=(ends[source][0], ends[sink][0]), daemon=True).start()
    return [os.ttyname(outer) for _, outer in ends]


def main(folder, port):
    ours, theirs = a_wire()
    over_tcp = MeterServerService.new_tcp_server("127.0.0.1", port)
    over_serial = MeterServerService.new_rtu_server(ours, 8, 1, 9600, "E", 1.0)
    fill(over_tcp, ADDRESSES["tcp"])
    fill(over_serial, ADDRESSES["serial"])
    values = dict([*ENERGY.values(), *VARIABLES.values()])
    ready = {"serial": theirs, "addresses": ADDRESSES, "values": values}
    with open(os.path.join(folder, "peer.new"), "w", encoding="utf-8") as file:
        json.dump(ready, file)
    os.rename(os.path.join(folder, "peer.new"), os.path.join(folder, "peer.json"))
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

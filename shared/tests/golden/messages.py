#!/usr/bin/env python3
"""The messages of GW/1 (steward_shared::wire::message) as they stand on the wire, by other people's code: cbor2 from
PyPI. The maps are written out here, so that this file says which key is which field.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install cbor2==6.3.0
    /tmp/golden/bin/python shared/tests/golden/messages.py shared/tests/golden

Writes `messages_1_<kind>.frames`, one for each kind of message, with every variant in it: frames one after the other,
each four bytes of length and one CBOR item. `shared/tests/messages_golden.rs` reads them, and must write the same
bytes.

A field's key is its place in its struct. A variant that holds something is a map of its name to that; a variant that
holds nothing is its place in its enum. An instant is milliseconds since 1970.
"""
import struct
import sys
from pathlib import Path

import cbor2

GATEWAY = bytes(range(16))
BUFFER = bytes(range(16, 32))
BOOT = bytes(range(32, 48))
HASH = bytes(range(100, 132))
NOW = 1_760_000_000_123

ALARM, LIVE, BACKFILL, COMMAND = 0, 1, 2, 3
COMMAND_ID = bytes(range(48, 64))


def dumps(item):
    # Canonical: keys in order, numbers with a fraction as short as they can be without loss.
    return cbor2.dumps(item, canonical=True)


def names(zh, en):
    return {0: zh, 1: en}


CONTROL_UP = [
    {
        "Hello": {
            0: 1,  # protocol
            1: GATEWAY,
            2: "0.1.0",  # version
            3: BUFFER,
            4: 7,  # epoch
            5: [  # lanes: lane, first, last, acked
                {0: ALARM, 1: 1, 2: 0, 3: 0},
                {0: LIVE, 1: 24, 2: 70_000, 3: 65_536},
                {0: BACKFILL, 1: 1, 2: 5_000_000_000, 3: 255},
            ],
            6: list(HASH),  # catalogue: an array of integers, not a byte string
            7: BOOT,
            8: NOW,
        }
    },
    {
        "Catalogue": {
            0: [
                {
                    0: "main-meter",  # key
                    1: names("总进线电表", "Main incomer meter"),
                    2: "schneider/pm5350",  # profile
                    3: "Schneider Electric",  # vendor
                    4: "PM5350",  # model
                    5: "B1 plant room",  # place
                    6: "chw-tcp",  # line
                    7: "10.0.0.20:502/1",  # address
                    8: True,  # in use
                }
            ],
            1: [
                {
                    0: 11 + kind,  # no
                    1: "main-meter",  # device
                    2: key,
                    3: names(zh, en),
                    4: unit,
                    5: kind,  # gauge, counter, flag, enumeration, text
                    6: labels,  # code, names
                    7: 10_000,  # period in ms
                    8: decimals,
                    9: modulus,
                    10: in_use,
                }
                for kind, (key, zh, en, unit, labels, decimals, modulus, in_use) in enumerate(
                    [
                        ("active-power", "总有功功率", "Active power", "kW", [], 2, None, True),
                        ("energy", "电能", "Energy", "kW.h", [], 1, 9999999.9, True),
                        (
                            "running",
                            "运行",
                            "Running",
                            "1",
                            [{0: 0, 1: names("停止", "stopped")}, {0: 1, 1: names("运行", "running")}],
                            0,
                            None,
                            True,
                        ),
                        ("mode", "模式", "Mode", "1", [{0: -1, 1: names("未知", "unknown")}], 0, None, False),
                        ("serial-number", "序列号", "Serial number", "1", [], 0, None, True),
                    ]
                )
            ],
        }
    },
    {
        "Health": {
            0: NOW,  # at
            1: 86_400,  # uptime in s
            2: 18_874_368,  # resident bytes
            3: 0.031,  # cpu
            4: 3_000_000_000,  # disk free
            5: 7_000_000_000,  # disk in all
            6: 1_048_576,  # buffer
            7: 12,  # not acknowledged
            8: NOW - 5_000,  # the oldest of them
            9: 0,  # dropped
            10: [
                {0: "chw-tcp", 1: True, 2: 0.25, 3: 1000, 4: 3, 5: "no reply within 300 ms"},
                {
                    0: "pumps", 1: False, 2: 0.0, 3: 0, 4: 1, 5: None, 6: 0.5, 7: 1.25,
                    8: [  # what, device, count, of
                        {0: "own_silence", 1: None, 2: 1, 3: 70_000},
                        {0: "two_answers", 1: "pump-1", 2: 300, 3: 900},
                    ],
                },
            ],  # name, up, busy, requests, errors, last error, wasted, planned, troubles
            11: [
                {0: "main-meter", 1: False, 2: NOW - 1_000, 3: 900, 4: 0, 5: 12.5, 6: None},
                {0: "pump-1", 1: True, 2: None, 3: 1, 4: 1, 5: None, 6: "no reply within 300 ms"},
            ],  # key, silent, last good, requests, errors, turnaround in ms, last error
            12: NOW + 2_592_000_000,  # certificate expires
        }
    },
    {"Renew": {0: b"\x30\x82\x01\x00"}},
    {
        "Hello": {
            0: 1, 1: GATEWAY, 2: "0.2.0", 3: BUFFER, 4: 7, 5: [], 6: [], 7: BOOT, 8: NOW,
            9: [{0: COMMAND, 1: 1, 2: 4, 3: 2}],  # more lanes
        }
    },
    {
        "Catalogue": {
            0: [],
            1: [
                {
                    0: 21, 1: "ahu-1", 2: "setpoint", 3: names("设定", "Setpoint"), 4: "Cel", 5: 0, 6: [],
                    7: 10_000, 8: 1, 9: None, 10: True,
                    # how it may be written: min, max, step, time-boxed, two persons, priority
                    11: {0: 16.0, 1: 30.0, 2: 0.5, 3: True, 4: False, 5: 8},
                }
            ],
        }
    },
    {
        "Config": {
            0: True,  # open
            1: "[gateway]\nname = \"东区\"\n",  # text
            2: "ab" * 32,  # digest
            3: 7,  # version in force
            4: 8,  # the last that was taken
            5: {  # what became of it: version, when, stage, reason, detail, faults
                0: 8, 1: NOW, 2: 0, 3: "faults", 4: "one fault",
                5: [  # line, column, path, message, way out
                    {
                        0: 3, 1: 1, 2: "line[0].prt", 3: names("没有这个键", "this key is not known"),
                        4: names("", "did you mean port?"),
                    }
                ],
            },
        }
    },
    {"Config": {0: False, 1: None, 2: "", 3: None, 4: 0, 5: None}},
    # trying, kept, taken back
    *(
        {
            "Config": {
                0: True, 1: "", 2: "", 3: stage, 4: stage,
                5: {0: stage, 1: NOW, 2: stage, 3: None, 4: "", 5: []},
            }
        }
        for stage in (1, 2, 3)
    ),
    {"Checked": {0: 41, 1: []}},
]

ORDERS = [
    {
        "Write": {
            0: COMMAND_ID, 1: GATEWAY, 2: "ahu-1", 3: "setpoint", 4: "li", 5: "wang", 6: "WO-2026-0417",
            7: 21.5,  # expected
            8: 23.0, 9: 8,  # value, priority
            10: NOW, 11: NOW + 600_000, 12: NOW + 7_200_000,  # issued, not after, relinquish at
        }
    },
    {
        "Write": {
            0: COMMAND_ID, 1: GATEWAY, 2: "ahu-1", 3: "fan", 4: "li", 5: None, 6: "",
            7: None, 8: 1.0, 9: None, 10: NOW, 11: NOW + 600_000, 12: None,
        }
    },
    {"Relinquish": {0: COMMAND_ID, 1: GATEWAY, 2: "wang", 3: "done", 4: NOW}},
]

REPORTS = [
    *(
        {0: COMMAND_ID, 1: stage + 1, 2: NOW, 3: stage, 4: None, 5: None, 6: None, 7: [], 8: ""}
        for stage in range(8)
    ),
    # a reason, before, now, slots, detail
    {0: COMMAND_ID, 1: 9, 2: NOW, 3: 5, 4: "overridden", 5: 21.5, 6: 19.0, 7: [None, 19.0], 8: "slot 2"},
]

CONTROL_DOWN = [
    {"Welcome": {0: 7, 1: [{0: ALARM, 1: 3}, {0: LIVE, 1: 65_536}, {0: BACKFILL, 1: 0}], 2: True, 3: NOW}},
    # protocol, identity mismatch, unknown, duplicate
    *({"Refused": {0: reason, 1: f"reason {reason}"}} for reason in range(4)),
    {"Watch": {0: [11, 300, 70_000], 1: 15_000}},
    {"Certificate": {0: b"\x30\x82\x02\x00"}},
    {"Command": {0: b"\xa1\x01", 1: b"\x30\x45"}},  # order, signature
    {"Welcome": {0: 7, 1: [], 2: False, 3: NOW, 4: True}},  # the configuration is wanted
    # and what the hub has of a lane at its watermark
    {"Welcome": {0: 7, 1: [], 2: False, 3: NOW, 4: True, 5: [{0: LIVE, 1: b"\x01\x02\x03"}]}},
    {"Config": {0: b"\xa1\x02", 1: b"\x30\x46"}},  # configuration, signature
    {"Check": {0: 41, 1: "[gateway]\n"}},
]

CONFIGS = [
    # gateway, version, base, text, by, why, issued
    {0: GATEWAY, 1: 8, 2: "ab" * 32, 3: "[gateway]\nname = \"东区\"\n", 4: "li", 5: "WO-2026-0417", 6: NOW},
    {0: GATEWAY, 1: 9, 2: "", 3: "", 4: "", 5: "", 6: NOW, 7: "chw"},  # the line on which it is tried first
]

LANE_UP = [
    *({"Open": lane} for lane in (ALARM, LIVE, BACKFILL, COMMAND)),
    {"Batch": {0: LIVE, 1: 7, 2: 65_537, 3: 300, 4: HASH, 5: b"\xa0\x01\x02"}},
]

LANE_DOWN = [
    {"Ack": 65_537},
    {"Nack": 65_535},
    {"Quarantined": {0: 65_538, 1: "the body cannot be read"}},
]

ENROL = [{0: b"\x01" * 10, 1: b"\x30\x82\x03\x00", 2: "0.1.0", 3: "gw-east"}]

ENROL_ANSWER = [
    {"Accepted": {0: GATEWAY, 1: b"\x30\x82\x04\x00"}},
    # unknown code, expired, bad request, slow down
    *({"Refused": refusal} for refusal in range(4)),
]

LIVE_SAMPLES = [
    {
        0: [  # no, at, value, quality
            {0: 11, 1: NOW, 2: {"Number": 124.75}, 3: 0},
            {0: 12, 1: NOW, 2: {"Number": 0.1}, 3: 1},
            {0: 13, 1: NOW, 2: None, 3: 2},
            {0: 14, 1: NOW, 2: None, 3: 3},
            {0: 15, 1: NOW, 2: None, 3: 4},
            {0: 16, 1: NOW, 2: None, 3: 5},
            {0: 17, 1: NOW, 2: None, 3: 6},
            {0: 18, 1: NOW, 2: None, 3: 0x12},
            {0: 19, 1: -1, 2: {"Text": "运行"}, 3: 0},
        ]
    }
]

if __name__ == "__main__":
    for kind, items in {
        "control_up": CONTROL_UP,
        "control_down": CONTROL_DOWN,
        "lane_up": LANE_UP,
        "lane_down": LANE_DOWN,
        "enrol": ENROL,
        "enrol_answer": ENROL_ANSWER,
        "live_samples": LIVE_SAMPLES,
        "orders": ORDERS,
        "reports": REPORTS,
        "configs": CONFIGS,
    }.items():
        frames = [struct.pack(">I", len(body)) + body for body in map(dumps, items)]
        Path(sys.argv[1], f"messages_1_{kind}.frames").write_bytes(b"".join(frames))

#!/usr/bin/env python3
"""Bodies of readings (schema 1 of steward_shared::wire::columns) by other people's code: the CBOR by cbor2, the
packed columns by pcodec, both from PyPI; only the run lengths and variable-length integers are written out here.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install cbor2==6.3.0 pcodec==1.1.0
    /tmp/golden/bin/python shared/tests/golden/columns.py write shared/tests/golden/columns_1_python.cbor
    /tmp/golden/bin/python shared/tests/golden/columns.py check shared/tests/golden/columns_1_steward.cbor

`write` makes the file that `shared/tests/columns_golden.rs` reads; `check` reads the one that Steward wrote and
compares every reading, bit for bit. Both know the content by the same formulas.
"""
import struct
import sys

import cbor2
import numpy as np
import pcodec
import pcodec.wrapped as pco

T0, STEP, N = 1_760_000_000_000, 10_000, 400
BOOT = bytes(range(16))
MONO_MS, WALL = 86_400_123, 1_760_004_000_000
GOOD, NO_REPLY = 0, 4
NUMBER, ABSENT, TEXT = 0, 1, 2


def content():
    """(point, instant, value, quality), sorted."""
    grid = [T0 + i * STEP for i in range(N)]
    rows = [(7, t, ((i * 37) % 113 - 50) / 10, GOOD) for i, t in enumerate(grid)]
    rows += [(9, t, i / 7, GOOD) for i, t in enumerate(grid)]
    rows += [(12, T0 + 5, "运行", GOOD), (12, T0 + 4_000_005, "stop", GOOD)]
    rows += [(20, t, None, NO_REPLY) for t in grid]
    rows += [(30, t, float(np.float32(np.float32(i) / np.float32(3))), GOOD) for i, t in enumerate(grid)]
    return rows


def varint(v):
    out = bytearray()
    while v >= 0x80:
        out.append((v & 0x7F) | 0x80)
        v >>= 7
    out.append(v)
    return bytes(out)


def zigzag(v):
    return varint((v << 1) ^ (v >> 63) if v >= 0 else ((-v) << 1) - 1)


def runs_of_steps(values):
    out, last, held = b"", 0, []
    for v in values:
        step, last = v - last, v
        if held and held[-1][0] == step:
            held[-1][1] += 1
        else:
            held.append([step, 1])
    for step, count in held:
        out += zigzag(step) + varint(count)
    return b"\x00" + out if values else b""


def runs_of_bytes(values):
    held = []
    for v in values:
        if held and held[-1][0] == v:
            held[-1][1] += 1
        else:
            held.append([v, 1])
    return b"".join(bytes([v]) + varint(n) for v, n in held)


def pack(array, tag):
    file = pco.FileCompressor()
    chunk = file.chunk_compressor(array, pcodec.ChunkConfig())
    assert chunk.n_per_page() == [len(array)]
    return bytes([tag]) + file.write_header() + chunk.write_meta() + chunk.write_page(0)


def write(path):
    rows = content()
    grid = [T0 + i * STEP for i in range(N)]
    tens = [(i * 37) % 113 - 50 for i in range(N)]
    texts = [r[2].encode() for r in rows if isinstance(r[2], str)]
    presence = [TEXT if isinstance(r[2], str) else ABSENT if r[2] is None else NUMBER for r in rows]
    columns = [
        runs_of_steps([7, 9, 12, 20, 30]),
        runs_of_steps([0, 0, 1, 0, 0]),
        runs_of_steps([N, 2]),
        runs_of_steps(grid + [T0 + 5, T0 + 4_000_005]),
        runs_of_bytes([r[3] for r in rows]),
        runs_of_bytes(presence),
        runs_of_steps([1, 0x21, 0x20]),
        runs_of_steps([tens[0]]),
        pack(np.array([b - a for a, b in zip(tens, tens[1:])], dtype=np.int64), 2),
        pack(np.array([np.float32(i) / np.float32(3) for i in range(N)], dtype=np.float32), 1),
        pack(np.array([i / 7 for i in range(N)], dtype=np.float64), 1),
        runs_of_steps([len(t) for t in texts]),
        b"".join(texts),
    ]
    fields = [1, BOOT, MONO_MS, WALL, len(rows), 5, 2, *columns]
    with open(path, "wb") as f:
        f.write(cbor2.dumps(dict(enumerate(fields))))


def unpack(body, n, dtype):
    file, at = pco.FileDecompressor.new(body)
    chunk, more = file.chunk_decompressor(body[at:], dtype)
    out = np.zeros(n, dtype=np.dtype({"i64": np.int64, "f32": np.float32, "f64": np.float64}[dtype]))
    progress, used = chunk.read_page_into(body[at + more :], n, out)
    assert progress.n_processed == n and at + more + used == len(body)
    return out


def read_varints(body):
    out, v, shift = [], 0, 0
    for b in body:
        v |= (b & 0x7F) << shift
        shift += 7
        if not b & 0x80:
            out.append(v)
            v, shift = 0, 0
    return out


def integers(body, n):
    if n == 0:
        assert body == b""
        return []
    tag, rest = body[0], body[1:]
    if tag == 2:
        return [int(v) for v in unpack(rest, n, "i64")]
    unzig = [(v >> 1) ^ -(v & 1) for v in read_varints(rest)]
    counts = [1] * len(unzig)
    if tag == 0:
        raw = read_varints(rest)
        unzig, counts = unzig[0::2], raw[1::2]
    out, last = [], 0
    for step, count in zip(unzig, counts):
        for _ in range(count):
            last += step
            out.append(last)
    assert len(out) == n
    return out


def floats(body, n, dtype, size):
    if body[:1] == b"\x00":
        return list(np.frombuffer(body[1:], dtype="<f%d" % size))
    return list(unpack(body[1:], n, dtype)) if n else []


def byte_runs(body):
    raw, at, out = body, 0, []
    while at < len(raw):
        value, at, n, shift = raw[at], at + 1, 0, 0
        while True:
            b = raw[at]
            at += 1
            n |= (b & 0x7F) << shift
            shift += 7
            if not b & 0x80:
                break
        out += [value] * n
    return out


def check(path):
    with open(path, "rb") as f:
        e = cbor2.loads(f.read())
    assert sorted(e) == list(range(20)) and e[0] == 1, e.keys()
    assert (e[1], e[2], e[3]) == (BOOT, MONO_MS, WALL)
    n, n_points, n_lists = e[4], e[5], e[6]
    points, list_of = integers(e[7], n_points), integers(e[8], n_points)
    lengths = integers(e[9], n_lists)
    instants = integers(e[10], sum(lengths))
    lists = [instants[sum(lengths[:i]) : sum(lengths[: i + 1])] for i in range(n_lists)]
    qualities, presence = byte_runs(e[11]), byte_runs(e[12])
    slots = [(p, t) for p, l in zip(points, list_of) for t in lists[l]]
    counts = [c for c in ([pr for (q, _), pr in zip(slots, presence) if q == p].count(NUMBER) for p in points) if c]
    forms = integers(e[13], len(counts))
    decimal = [c for f, c in zip(forms, counts) if f < 0x20]
    firsts, steps = integers(e[14], len(decimal)), integers(e[15], sum(decimal) - len(decimal))
    singles = floats(e[16], sum(c for f, c in zip(forms, counts) if f == 0x20), "f32", 4)
    doubles = floats(e[17], sum(c for f, c in zip(forms, counts) if f == 0x21), "f64", 8)
    values = []
    for form, count in zip(forms, counts):
        if form == 0x20:
            values += [float(singles.pop(0)) for _ in range(count)]
        elif form == 0x21:
            values += [float(doubles.pop(0)) for _ in range(count)]
        else:
            i = firsts.pop(0)
            whole = [i] + [i := i + steps.pop(0) for _ in range(count - 1)]
            exact = [w / 10 ** (form & 0x0F) for w in whole]
            values += [float(np.float32(v)) for v in exact] if form & 0x10 else exact
    lengths, texts, rest = integers(e[18], presence.count(TEXT)), [], e[19]
    for length in lengths:
        texts.append(rest[:length].decode())
        rest = rest[length:]
    assert rest == b"" and not (firsts or steps or singles or doubles)
    take = {NUMBER: lambda: values.pop(0), TEXT: lambda: texts.pop(0), ABSENT: lambda: None}
    rows = [(p, t, take[k](), q) for (p, t), k, q in zip(slots, presence, qualities)]

    def bits(row):
        v = row[2]
        return (*row[:2], struct.pack("<d", v) if isinstance(v, float) else v, row[3])

    wanted = [(p, t, float(v) if isinstance(v, (int, float)) else v, q) for p, t, v, q in content()]
    assert len(rows) == n and [bits(r) for r in rows] == [bits(r) for r in wanted]
    print(f"{path}: {n} readings agree")


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]](sys.argv[2])

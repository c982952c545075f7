"""Traces of every format, made by hand from the descriptions of the formats."""

from __future__ import annotations

import struct

import numpy as np

from hwmodel.cryo.trace import Branch, Op


def champsim(pc, branch=0, taken=0, out=(), into=(), stores=(), loads=(), targets=2):
    def fill(values, count):
        return [*values, *[0] * (count - len(values))]

    registers = fill(out, targets) + fill(into, 4)
    pad = 0 if targets == 2 else 6
    tail = b"" if targets == 2 else b"\1\2" + bytes(6)
    head = struct.pack("<Q", pc) + bytes([branch, taken, *registers]) + bytes(pad)
    return head + struct.pack(f"<{targets + 4}Q", *fill(stores, targets), *fill(loads, 4)) + tail


SP, FL, IP = 6, 25, 26


def lines(values):
    return np.diff(np.array(values, np.int64), prepend=0).astype("<i8").tobytes()


def cvp(pc, kind, address=None, size=8, taken=None, target=0, into=(), out=()):
    body = struct.pack("<QB", pc, kind)
    if address is not None:
        body += struct.pack("<QB", address, size)
    if taken is not None:
        body += bytes([taken]) + (struct.pack("<Q", target) if taken else b"")
    body += bytes([len(into), *into, len(out), *out])
    return body + b"".join(bytes(16 if 32 <= r < 64 else 8) for r in out)


CVP = [
    (cvp(0, 0, into=[1, 2], out=[3]), {"op": Op.INT, "sources": [2, 3], "destinations": [4]}),
    (cvp(4, 1, 0x100, 16, into=[31], out=[33]), {"loads": [0x100], "load_size": 16, "destinations": [34]}),
    (cvp(8, 2, 0x108, 4, into=[0, 64]), {"stores": [0x108], "store_size": 4, "sources": [1, 65]}),
    (cvp(12, 3, taken=1, target=64, into=[64]), {"branch": Branch.CONDITIONAL, "taken": True}),
    (cvp(16, 3, taken=0, into=[64]), {"branch": Branch.CONDITIONAL, "taken": False}),
    (cvp(20, 4, taken=1), {"branch": Branch.JUMP, "taken": True}),
    (cvp(24, 4, taken=1, out=[30]), {"branch": Branch.CALL}),
    (cvp(28, 5, taken=1, into=[30]), {"branch": Branch.RETURN}),
    (cvp(32, 5, taken=1, into=[9]), {"branch": Branch.INDIRECT_JUMP}),
    (cvp(36, 5, taken=1, into=[9], out=[30]), {"branch": Branch.INDIRECT_CALL}),
    (cvp(40, 6, into=[32], out=[32]), {"op": Op.FP_ADD}),
    (cvp(44, 7, into=[1], out=[1]), {"op": Op.MUL}),
    (cvp(48, 8), {"op": Op.SYSTEM}),
]


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def message(*fields):
    body = b""
    for number, value in fields:
        if isinstance(value, bytes):
            body += varint(number << 3 | 2) + varint(len(value)) + value
        else:
            body += varint(number << 3) + varint(value)
    return varint(len(body)) + body


def elastic(*records, header=((1, b"system.cpu"), (2, 0), (3, 10**12), (4, 120))):
    return b"gem5" + message(*header) + b"".join(message(*record) for record in records)


LOAD, STORE, COMP = 1, 2, 3
DEPENDENT = [
    [(1, 1), (2, COMP), (7, 500), (10, 0x1000)],
    [(1, 2), (2, LOAD), (3, 0x80), (4, 8), (7, 1000), (8, 1), (10, 0x1004), (11, 0x4080)],
    [(1, 3), (2, STORE), (3, 0x90), (4, 4), (6, 1), (7, 250), (8, 2), (10, 0x1008)],
    [(1, 4), (2, COMP), (6, 3), (7, 0), (8, 2), (9, 5), (10, 0x1000)],
    [(1, 5), (2, COMP), (7, 0), (8, 1), (8, 4), (10, 0x100C)],
]


def entries(rows, stride=12):
    pad = bytes(stride - 12)
    return b"".join(struct.pack("<HH", t, s) + pad + struct.pack("<Q", a) for t, s, a in rows)


OLD = [
    (8, 4, 77),
    (9, 4, 70),
    (3, 4, 0x1000),
    (0, 8, 0x20),
    (1, 4, 0x30),
    (2, 0, 5),
    (3, 2, 0x1004),
    (0, 8, 0x40),
]


HEAD = [(25, 0, 5), (28, 8, 5), (22, 4, 77), (24, 4, 70)]
NEW = [
    (47, 4, 0x90),
    (10, 4, 0x1000),
    (0, 8, 0x20),
    (48, 2, 0x1004),
    (49, 2, 0x2000),
    (14, 5, 0x2002),
    (13, 2, 0x3000),
    (13, 2, 0x3002),
    (16, 1, 0x4000),
    (32, 0, 9),
]
FOOT = [(23, 0, 77), (26, 0, 0)]


SAMPLES = {
    "champsim": b"".join(
        champsim(0x1000 + k, loads=[k + 1] * (k % 3), stores=[9] * (k % 2)) for k in range(50)
    ),
    "cvp1": b"".join(raw for raw, _ in CVP) * 3,
    "gem5-elastic": elastic(*DEPENDENT),
    "drmemtrace": entries(HEAD + NEW + FOOT),
    "lines": lines([2 * (k * k % 91) + k % 2 for k in range(60)]),
    "din": b"2 400\n0 10\n0 14\n1 18\n" * 9,
    "lackey": b"I  400,4\n M 10,8\nI  404,2\n" * 9,
    "pinatrace": b"0x400: R 0x10\n0x404: W 0x20\n#eof\n",
    "ramulator": b"0x40 R\n0x80 W\n",
    "ramulator-ls": b"LD 0x40\nST 0x80\n",
    "ramulator-cpu": b"2 64\n1 64 128\n",
}

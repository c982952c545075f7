"""Compiled parts that every engine shares: the `jit` decorator, two event queues, and random draws.

A queue is one flat int64 array, so that an engine hands it to its compiled loop as a single argument. Events are
(t, key, payload) and come out in exactly that order, whichever queue holds them; no insertion counter takes part,
because an order that depends on insertion depends on the window as well.

* The heap (4-ary) takes any time.
* The wheel is a ring of buckets of 2**shift femtoseconds. Each bucket is a short linked list sorted like the heap;
  a bitmap finds the next bucket that is not empty; events beyond the ring wait in the heap of the same array.

Array layout (words): a header of `HEADER` words, then for a wheel the bitmap (32 buckets a word), the bucket heads
and the nodes (t, key, payload, next), and last the heap items (t, key, payload). A bucket head or `next` of 0 means
"none", so the first node is never used. No function writes when the queue is full: it returns `QUEUE_FULL`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from hwmodel.kernel._caching import save_alone

JIT = os.environ.get("HWMODEL_JIT", "1") != "0"
if JIT:
    import numba

Ints = npt.NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., Any])

# ---------------------------------------------------------------------------------------------- the decorator

KEPT_FOLDERS = 4  # newest cache folders that pruning leaves alone
KEPT_SECONDS = (
    86_400.0  # and so long after its last use no folder is removed: another process may be reading it
)


def cache_root() -> Path:
    """Return the folder that holds all cached kernels: `$HWMODEL_CACHE`, else the user's cache folder."""
    named = os.environ.get("HWMODEL_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hwmodel"


def kernels_hash(package: Path) -> str:
    """Return a hash of all kernel sources below `package`, the compiler version and its flags.

    numba looks only at the file that holds a function, not at the kernels it calls in other files, and does not tell
    code that is bounds-checked, or optimized less, from plain code. So each combination gets a folder of its own.
    """
    digest = hashlib.sha256()
    for source in sorted(package.rglob("_kernels.py")):
        digest.update(source.relative_to(package).as_posix().encode() + b"\0" + source.read_bytes() + b"\0")
    flags = f"{numba.__version__} {numba.config.BOUNDSCHECK} {numba.config.OPT!r}" if JIT else ""
    digest.update(flags.encode())
    return digest.hexdigest()[:16]


def prune_folders(root: Path, now: float) -> None:
    """Remove cache folders that are neither among the newest few nor in recent use."""
    folders = [(folder.stat().st_mtime, folder) for folder in root.glob("kernels-*")]
    for used, folder in sorted(folders, reverse=True)[KEPT_FOLDERS:]:
        if now - used > KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


@cache
def cache_folder() -> str:
    """Return the cache folder for the kernels as they are now, or "" where none can be written."""
    try:
        root = cache_root()
        folder = root / f"kernels-{kernels_hash(Path(__file__).parent.parent)}"
        fresh = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        os.utime(folder)
        if fresh:
            prune_folders(root, time.time())
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        return ""
    return str(folder)


def jit(function: Function) -> Function:
    """Compile a function with numba, or return it unchanged where `HWMODEL_JIT=0`.

    Compiled code runs without the interpreter lock and is cached between processes. Where the cache folder cannot
    be written the function is compiled anew in each process.
    """
    return compiled(function, False)


def inlined(function: Function) -> Function:
    """Compile a function like `jit`, and put its code into that of every compiled function that calls it.

    For short functions on the way of every event: a call costs some twenty machine instructions, because an array is
    passed as seven words.
    """
    return compiled(function, True)


def compiled(function: Function, inline: bool) -> Function:
    """Compile a function, as `jit` and `inlined` do."""
    if not JIT:
        return function
    folder = cache_folder()
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = folder
    try:
        # With bounds checking nobody looks at speed, and code that stands once is checked as well and compiled sooner.
        force = inline and not numba.config.BOUNDSCHECK
        done: Any = numba.njit(cache=bool(folder), nogil=True, forceinline=force)(function)
    finally:
        numba.config.CACHE_DIR = before
    if folder:
        save_alone(done, folder)
    # A call with a constant would compile a version of its own, and all that it calls: that doubled the time.
    plain, of = done.get_call_template, numba.types.unliteral
    done.get_call_template = lambda a, named: plain(tuple(map(of, a)), {k: of(v) for k, v in named.items()})
    return cast(Function, done)


# ---------------------------------------------------------------------------------------------- random draws

if JIT:

    @jit
    def random_bits(key: int, counter: int) -> int:
        """Return draw number `counter` of the stream `key` as a whole number below 2**53.

        The generator is SplitMix64 with the stream key as its seed (Steele, Lea, Flood, OOPSLA 2014): a draw
        depends on key and counter only, so a stream needs no state but its counter.
        """
        z = np.uint64(key) + np.uint64(counter + 1) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        bits: Any = np.int64((z ^ (z >> np.uint64(31))) >> np.uint64(11))
        return bits

else:

    def random_bits(key: int, counter: int) -> int:
        """Return draw number `counter` of the stream `key` as a whole number below 2**53 (SplitMix64)."""
        z = (int(key) + (int(counter) + 1) * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        return (z ^ (z >> 31)) >> 11


@jit
def uniform(key: int, counter: int) -> float:
    """Return draw number `counter` of the stream `key`, uniform in [0, 1)."""
    return random_bits(key, counter) * (1.0 / 9007199254740992.0)


# ---------------------------------------------------------------------------------------------- queues: layout

LONGEST_WALK = 12  # nodes of a bucket that an insertion passes before it goes to the heap

# An unsigned index spares the compiled code the test for negative ones, a third of the run time.
U: Any = np.uint64 if JIT else int

NEVER = 2**63 - 1
QUEUE_OK, QUEUE_FULL, QUEUE_PAST = 0, 1, 2

NEAR = 0  # events in the ring
FAR = 1  # events in the heap
CAPACITY = 2  # most events of both together
NOW = 3  # time of the last popped event, fs
SHIFT = 4  # log2 of the bucket width in fs
MASK = 5  # buckets - 1; 0 = no ring, the queue is a plain heap
FREE = 6  # first free node, 0 = none
USED = 7  # nodes ever taken
BITMAP = 8  # offset of the bitmap
BUCKETS = 9  # offset of the buckets: first and last node of each
NODES = 10  # offset of node 0 (unused)
HEAP = 11  # offset of the heap items
HEADER = 12

# Position of a lone bit in 32, by de Bruijn multiplication.
BIT_INDEX = np.argsort([((0x077CB531 << i) >> 27) & 31 for i in range(32)])


def make_heap(capacity: int) -> Ints:
    """Return an empty heap queue for `capacity` events."""
    q = np.zeros(HEADER + 3 * capacity, dtype=np.int64)
    q[CAPACITY], q[HEAP] = capacity, HEADER
    return q


def make_wheel(capacity: int, shift: int, buckets: int) -> Ints:
    """Return an empty wheel queue of `buckets` (a power of two, >= 32) buckets of 2**shift fs."""
    bitmap, heads, nodes = HEADER, HEADER + buckets // 32, HEADER + buckets // 32 + 2 * buckets
    heap = nodes + 4 * (capacity + 1)
    q = np.zeros(heap + 3 * capacity, dtype=np.int64)
    q[CAPACITY], q[SHIFT], q[MASK] = capacity, shift, buckets - 1
    q[BITMAP], q[BUCKETS], q[NODES], q[HEAP] = bitmap, heads, nodes, heap
    return q


# ---------------------------------------------------------------------------------------------- queues: the heap


@jit
def heap_push(q: Ints, t: int, key: int, payload: int) -> int:
    """Put an event into the heap part."""
    i = q[FAR]
    if i + q[NEAR] >= q[CAPACITY]:
        return QUEUE_FULL
    q[FAR] = i + 1
    base = q[HEAP]
    while i > 0:
        parent = (i - 1) >> 2
        p = base + 3 * parent
        pt = q[U(p)]
        if pt < t or (pt == t and (q[U(p + 1)] < key or (q[U(p + 1)] == key and q[U(p + 2)] <= payload))):
            break
        c = base + 3 * i
        q[U(c)] = pt
        q[U(c + 1)] = q[U(p + 1)]
        q[U(c + 2)] = q[U(p + 2)]
        i = parent
    c = base + 3 * i
    q[U(c)] = t
    q[U(c + 1)] = key
    q[U(c + 2)] = payload
    return QUEUE_OK


@jit
def heap_drop(q: Ints) -> None:
    """Remove the first event of the heap part, which must not be empty."""
    base = q[HEAP]
    n = q[FAR] - 1
    q[FAR] = n
    q[NOW] = q[U(base)]
    last = base + 3 * n
    t = q[U(last)]
    key = q[U(last + 1)]
    payload = q[U(last + 2)]
    i = 0
    child = 1
    while child < n:
        c = base + 3 * child
        best = child
        bt = q[U(c)]
        bk = q[U(c + 1)]
        bp = q[U(c + 2)]
        for other in range(child + 1, min(child + 4, n)):
            c += 3
            ot = q[U(c)]
            if ot < bt or (ot == bt and (q[U(c + 1)] < bk or (q[U(c + 1)] == bk and q[U(c + 2)] < bp))):
                best = other
                bt = ot
                bk = q[U(c + 1)]
                bp = q[U(c + 2)]
        if t < bt or (t == bt and (key < bk or (key == bk and payload <= bp))):
            break
        c = base + 3 * i
        q[U(c)] = bt
        q[U(c + 1)] = bk
        q[U(c + 2)] = bp
        i = best
        child = 4 * i + 1
    c = base + 3 * i
    q[U(c)] = t
    q[U(c + 1)] = key
    q[U(c + 2)] = payload


@jit
def heap_peek(q: Ints) -> int:
    """Return the time of the first event of the heap part, NEVER if there is none."""
    if q[FAR] == 0:
        return NEVER
    return q[U(q[HEAP])]


@jit
def heap_pop(q: Ints) -> tuple[int, int, int]:
    """Take the first event of the heap part; (NEVER, 0, 0) if there is none."""
    if q[FAR] == 0:
        return NEVER, 0, 0
    base = q[HEAP]
    t = q[U(base)]
    key = q[U(base + 1)]
    payload = q[U(base + 2)]
    heap_drop(q)
    return t, key, payload


# ------------------------------------------------------------------------------------------ queues: the wheel


@jit
def wheel_push(q: Ints, t: int, key: int, payload: int) -> int:
    """Put an event into the ring, or into the heap where it lies beyond the ring."""
    if t < q[NOW]:
        return QUEUE_PAST
    shift = q[SHIFT]
    mask = q[MASK]
    bucket = t >> shift
    if bucket - (q[NOW] >> shift) > mask:
        return heap_push(q, t, key, payload)
    if q[NEAR] + q[FAR] >= q[CAPACITY]:
        return QUEUE_FULL
    q[NEAR] += 1
    nodes = q[NODES]
    new = q[FREE]
    if new == 0:
        new = q[USED] + 1
        q[USED] = new
        at = nodes + 4 * new
    else:
        at = nodes + 4 * new
        q[FREE] = q[U(at + 3)]
    q[U(at)] = t
    q[U(at + 1)] = key
    q[U(at + 2)] = payload
    slot = bucket & mask
    head = q[BUCKETS] + 2 * slot
    last = q[U(head + 1)]
    if q[U(head)] == 0:
        q[U(q[BITMAP] + (slot >> 5))] |= 1 << (slot & 31)
        q[U(head)] = new
        q[U(head + 1)] = new
        q[U(at + 3)] = 0
        return QUEUE_OK
    n = nodes + 4 * last
    nt = q[U(n)]
    if nt < t or (nt == t and (q[U(n + 1)] < key or (q[U(n + 1)] == key and q[U(n + 2)] <= payload))):
        # Clocked circuits push many events of one time in the order of their keys.
        q[U(n + 3)] = new
        q[U(head + 1)] = new
        q[U(at + 3)] = 0
        return QUEUE_OK
    before = head  # the word that will point to the new node
    node = q[U(head)]
    for _ in range(LONGEST_WALK):
        n = nodes + 4 * node
        nt = q[U(n)]
        if nt > t or (nt == t and (q[U(n + 1)] > key or (q[U(n + 1)] == key and q[U(n + 2)] > payload))):
            q[U(before)] = new
            q[U(at + 3)] = node
            return QUEUE_OK
        before = n + 3
        node = q[U(before)]
    # A long bucket, as when a clock reaches thousands of cells at once: give the node back and use the heap.
    q[U(at + 3)] = q[FREE]
    q[FREE] = new
    q[NEAR] -= 1
    return heap_push(q, t, key, payload)


@jit
def wheel_first(q: Ints) -> int:
    """Return the slot of the first bucket that holds an event, -1 if the ring is empty."""
    if q[NEAR] == 0:
        return -1
    mask = q[MASK]
    start = (q[NOW] >> q[SHIFT]) & mask
    if q[U(q[BUCKETS] + 2 * start)] != 0:
        return start
    bitmap = q[BITMAP]
    words = mask >> 5
    word = start >> 5
    bits = q[U(bitmap + word)] & (-1 << (start & 31))
    while bits == 0:
        # The start word may be met a second time: then only its low bits can still be set.
        word = (word + 1) & words
        bits = q[U(bitmap + word)]
    return (word << 5) + BIT_INDEX[U((((bits & -bits) * 0x077CB531) >> 27) & 31)]


@jit
def wheel_drop(q: Ints, slot: int) -> None:
    """Remove the first event of a bucket, which must not be empty."""
    head = q[BUCKETS] + 2 * slot
    node = q[U(head)]
    n = q[NODES] + 4 * node
    after = q[U(n + 3)]
    q[U(head)] = after
    if after == 0:
        q[U(q[BITMAP] + (slot >> 5))] &= ~(1 << (slot & 31))
    q[U(n + 3)] = q[FREE]
    q[FREE] = node
    q[NEAR] -= 1
    q[NOW] = q[U(n)]


@jit
def queue_first(q: Ints) -> int:
    """Return where the first event lies: the address of its (t, key, payload), 0 if the queue is empty."""
    slot = -1
    if q[MASK] != 0:
        slot = wheel_first(q)
    if slot < 0:
        if q[FAR] == 0:
            return 0
        return q[HEAP]
    near = q[NODES] + 4 * q[U(q[BUCKETS] + 2 * slot)]
    if q[FAR] != 0:
        far = q[HEAP]
        ft = q[U(far)]
        nt = q[U(near)]
        if ft < nt or (
            ft == nt
            and (
                q[U(far + 1)] < q[U(near + 1)]
                or (q[U(far + 1)] == q[U(near + 1)] and q[U(far + 2)] < q[U(near + 2)])
            )
        ):
            return far
    return near


@jit
def queue_drop(q: Ints, at: int) -> None:
    """Remove the event that `queue_first` found."""
    if at == q[HEAP]:
        heap_drop(q)
    else:
        wheel_drop(q, (q[U(at)] >> q[SHIFT]) & q[MASK])


@jit
def queue_push(q: Ints, t: int, key: int, payload: int) -> int:
    """Put an event into either kind of queue."""
    if q[MASK] != 0:
        return wheel_push(q, t, key, payload)
    if t < q[NOW]:
        return QUEUE_PAST
    return heap_push(q, t, key, payload)


@jit
def queue_peek(q: Ints) -> int:
    """Return the time of the first event, NEVER if there is none."""
    at = queue_first(q)
    if at == 0:
        return NEVER
    return q[U(at)]


@jit
def queue_pop(q: Ints) -> tuple[int, int, int]:
    """Take the first event; (NEVER, 0, 0) if there is none."""
    at = queue_first(q)
    if at == 0:
        return NEVER, 0, 0
    t = q[U(at)]
    key = q[U(at + 1)]
    payload = q[U(at + 2)]
    queue_drop(q, at)
    return t, key, payload


@jit
def queue_rows(q: Ints, rows: Ints) -> int:
    """Copy all events, in no order, into rows[n, 3]; return how many there are."""
    n = 0
    base = q[HEAP]
    for i in range(q[FAR]):
        for j in range(3):
            rows[n, j] = q[U(base + 3 * i + j)]
        n += 1
    if q[MASK] != 0:
        for slot in range(q[MASK] + 1):
            node = q[U(q[BUCKETS] + 2 * slot)]
            while node != 0:
                at = q[NODES] + 4 * node
                for j in range(3):
                    rows[n, j] = q[U(at + j)]
                node = q[U(at + 3)]
                n += 1
    return n


@jit
def queue_fill(q: Ints, rows: Ints, n: int) -> int:
    """Put the first n of rows[:, 3] into a queue; return the first status that is not QUEUE_OK."""
    for i in range(n):
        status = queue_push(q, rows[i, 0], rows[i, 1], rows[i, 2])
        if status != QUEUE_OK:
            return status
    return QUEUE_OK

"""Both event queues give the order (t, key, payload), bounded, whatever the bucket width."""

from __future__ import annotations

import heapq
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.errors import QueueOverflowError, SpecError, TimeRangeError
from hwmodel.kernel import _kernels as kernels
from hwmodel.kernel._queues import HeapQueue, WheelQueue
from hwmodel.units import NEVER

pytestmark = pytest.mark.kernels

# A step is None (pop) or (time after the last popped event, key, payload). The gaps cover one instant, one
# bucket, the whole ring, and jumps far beyond it.
GAPS = st.one_of(st.just(0), st.integers(0, 3), st.integers(0, 70_000), st.integers(0, 10**15))
STEPS = st.lists(st.one_of(st.none(), st.tuples(GAPS, st.integers(0, 3), st.integers(0, 2))), max_size=120)


def pop_order(queue, steps):
    """What comes out of the queue for the steps; the queue is emptied at the end."""
    out, now = [], 0
    for step in steps:
        if step is None:
            if len(queue):
                assert queue.peek() >= now
                out.append(queue.pop())
                now = out[-1][0]
        else:
            queue.push(now + step[0], *step[1:])
    while len(queue):
        out.append(queue.pop())
    return out


class PythonQueue:
    """The order by definition."""

    def __init__(self):
        self.items = []

    def push(self, *event):
        heapq.heappush(self.items, event)

    def pop(self):
        return heapq.heappop(self.items)

    def peek(self):
        return self.items[0][0]

    def __len__(self):
        return len(self.items)


@given(steps=STEPS, shift=st.sampled_from([0, 3, 6, 10, 20]), buckets=st.sampled_from([32, 64, 512]))
@settings(max_examples=200, deadline=None)
def test_same_order_as_heapq(steps, shift, buckets):
    expected = pop_order(PythonQueue(), steps)
    assert pop_order(HeapQueue(128), steps) == expected
    assert pop_order(WheelQueue(128, shift, buckets), steps) == expected


@pytest.mark.parametrize("queue", [HeapQueue(3), WheelQueue(3)], ids=["heap", "wheel"])
def test_full_queue_is_refused_by_name(queue):
    for t in (5, 10**12, 7):
        queue.push(t, 0)
    with pytest.raises(QueueOverflowError, match=r"capacity=3\) is full: 3 events .* larger capacity"):
        queue.push(8, 0)
    assert [queue.pop()[0] for _ in range(3)] == [5, 7, 10**12]


@pytest.mark.parametrize("queue", [HeapQueue(3), WheelQueue(3)], ids=["heap", "wheel"])
def test_freed_room_is_used_again(queue):
    for round_ in range(20):
        for t in range(3):
            queue.push(100 * round_ + t, 0)
        assert [queue.pop()[0] for _ in range(3)] == [100 * round_ + t for t in range(3)]


@pytest.mark.parametrize("queue", [HeapQueue(3), WheelQueue(3)], ids=["heap", "wheel"])
def test_past_is_refused(queue):
    queue.push(1000, 0)
    queue.pop()
    queue.push(1000, 0)  # the same instant is still allowed
    with pytest.raises(TimeRangeError, match="999 fs lies before the last popped one at 1 ps"):
        queue.push(999, 0)
    with pytest.raises(TimeRangeError, match="-1 fs"):
        queue.push(-1, 0)


@pytest.mark.parametrize("queue", [HeapQueue(3), WheelQueue(3)], ids=["heap", "wheel"])
def test_empty_queue(queue):
    assert queue.peek() == NEVER
    with pytest.raises(IndexError, match="empty"):
        queue.pop()


@pytest.mark.parametrize("ahead", range(28, 70))
def test_events_at_the_rim_of_the_ring_keep_their_order(ahead):
    queue = WheelQueue(4, shift=0, buckets=32)
    queue.push(0, 0)
    queue.pop()
    queue.push(ahead, 0)
    queue.push(5, 0)
    assert [queue.pop()[0], queue.pop()[0]] == [5, ahead]


@pytest.mark.parametrize("step", [1, -1, 7])
def test_thousands_of_events_at_once_keep_their_order(step):
    # Far more than an insertion walks past in one bucket, so that bucket and heap share them.
    events = [(1000 + n % 2, (step * n) % 3001, 0) for n in range(3000)]
    for queue in (HeapQueue(3000), WheelQueue(3000)):
        for event in events:
            queue.push(*event)
        assert [queue.pop() for _ in events] == sorted(events)
        queue.push(2000, 0)  # all nodes are free again
        assert (len(queue), queue.pop()) == (1, (2000, 0, 0))


def test_last_time_is_kept_exactly():
    for queue in (HeapQueue(2), WheelQueue(2, shift=0)):
        queue.push(NEVER - 1, 7, 9)
        assert queue.pop() == (NEVER - 1, 7, 9)


@pytest.mark.parametrize(
    "make",
    [
        lambda: HeapQueue(0),
        lambda: WheelQueue(-1),
        lambda: WheelQueue(1, shift=41),
        lambda: WheelQueue(1, buckets=33),
        lambda: WheelQueue(1, buckets=16),
    ],
)
def test_nonsense_is_refused(make):
    with pytest.raises(SpecError):
        make()


def test_draws_are_splitmix64():
    # Published outputs of SplitMix64 for the seed 1234567.
    words = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [int(kernels.random_bits(1234567, n)) for n in range(4)] == [word >> 11 for word in words]
    assert kernels.uniform(1234567, 0) == (words[0] >> 11) / 2**53


def test_draws_take_a_signed_key():
    # A 64-bit key above 2**63 arrives in an int64 array as a negative number.
    assert int(kernels.random_bits(-1, 5)) == int(kernels.random_bits(-1, 5))
    assert 0 <= kernels.uniform(-(2**63), 10**15) < 1


def run_python(code, **environment):
    env = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)


def test_without_compilation_numba_is_not_imported():
    code = "import sys; from hwmodel.kernel._queues import HeapQueue; HeapQueue(1).push(1, 1); print('numba' in sys.modules)"
    assert run_python(code, HWMODEL_JIT="0").stdout.strip() == "False"


USE = "from hwmodel.kernel._queues import HeapQueue; q = HeapQueue(1); q.push(5, 1); print(q.pop())"
needs_compiler = pytest.mark.skipif(not kernels.JIT, reason="the cache exists only with compilation")


@needs_compiler
def test_cache_goes_to_the_named_folder(tmp_path):
    done = run_python(USE, HWMODEL_CACHE=str(tmp_path))
    assert done.stdout.strip() == "(5, 1, 0)", done.stderr
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("kernels-")
    assert list(folder.rglob("*.nbi"))


@needs_compiler
def test_unwritable_cache_is_no_error(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    done = run_python(USE, HWMODEL_CACHE=str(blocked / "cache"))
    assert done.stdout.strip() == "(5, 1, 0)", done.stderr


def test_cache_folder_depends_on_every_kernel_source(tmp_path):
    names = set()
    for text in ("a = 1", "a = 2"):
        (tmp_path / "_kernels.py").write_text(text)
        names.add(kernels.kernels_hash(tmp_path))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "_kernels.py").write_text("b = 1")
    assert len(names | {kernels.kernels_hash(tmp_path)}) == 3


def test_pruning_keeps_the_newest_and_the_recently_used(tmp_path):
    now, day = 1e9, 86_400
    ages = {
        "kernels-0": 0.1,
        "kernels-1": 5,
        "kernels-2": 6,
        "kernels-3": 7,
        "kernels-4": 8,
        "kernels-5": 9,
        "mine": 99,
    }
    for name, age in ages.items():
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (now - age * day,) * 2)
    kernels.prune_folders(tmp_path, now)
    left = sorted(folder.name for folder in Path(tmp_path).iterdir())
    assert left == ["kernels-0", "kernels-1", "kernels-2", "kernels-3", "mine"]
    kernels.prune_folders(tmp_path, now - 8.5 * day)
    assert "kernels-3" in {folder.name for folder in tmp_path.iterdir()}

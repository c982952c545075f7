"""CVP-1, gem5's elastic trace and DynamoRIO's drmemtrace.

Sources: the CVP-1 reader of ChampSim's converter; gem5, src/proto/inst_dep_record.proto; DynamoRIO,
clients/drcachesim/common/trace_entry.h (2015, and the versions with a header).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._format_base import Batch, Reader, new_rows
from hwmodel.cryo._format_bytes import Feed
from hwmodel.cryo._format_text import Assembler, Events, no_events
from hwmodel.errors import TraceFileError

__all__ = ["CvpReader", "DrmemtraceReader", "ElasticReader"]

PIECE = 1 << 17  # instructions of a batch
RING, REGISTERS = 4096, 128
LONGEST_HEADER = 1 << 12  # bytes of a gem5 header
SEEN = 1 << 12  # bytes by which the layout of drmemtrace is told
CUT, BAD = 1, 2


class CvpReader(Reader):
    """CVP-1: AArch64 instructions with the names of their registers; their values are left out."""

    name = "cvp1"
    isa = "aarch64"
    has = ("pc", "registers", "branches", "operations")
    remedy = "a CVP-1 trace starts with an instruction; is it of another format?"

    def _batches(self) -> Iterator[Batch]:
        from hwmodel.cryo import _binary

        info = np.zeros(2, np.int64)
        number = 0
        self.meta["notes"] = "operations are ALU, slow ALU (as MUL), and floating point (as FP_ADD)"
        with Feed(self.path) as feed:
            while feed.fill():
                why = 0
                while len(feed.data) and not why:
                    rows, taken = new_rows(PIECE), np.empty(PIECE, np.uint8)
                    operands = np.empty(PIECE, np.uint64)
                    done, count, used, why = _binary.cvp(feed.data, PIECE, rows, taken, operands, info)
                    if done:
                        yield Batch.of_rows(rows[:done], taken[:done], operands[:count])
                    number += done
                    feed.drop(used)
                if why == BAD:
                    found = (
                        f"bytes {feed.data[:16].tobytes().hex()}, whose kind, flag or register is impossible"
                    )
                    raise self._bad("instruction", number, feed.offset, found)
                if feed.final and len(feed.data):
                    raise self._cut("instruction", number, feed.offset, len(feed.data))
        self.meta["registers_dropped"] = int(info[0])


class ElasticReader(Reader):
    """gem5's elastic trace of data dependences.

    Each record that produces something gets a register of a pool of 64, by its pc; a dependence on the newest record
    of a register becomes that register. What is lost is counted in `meta`: register and order dependences on older
    records or on stores. Computing delays are summed up in `meta` in ticks of the recorded clock; their greatest
    common divisor is that clock's period, by which they must be rescaled for another clock.
    """

    name = "gem5-elastic"
    has = ("pc", "registers")
    remedy = "give the data-dependence file (deptrace), not the fetch requests or another file"

    def _batches(self) -> Iterator[Batch]:
        from hwmodel.cryo import _binary

        state = (np.zeros(RING, np.uint64), np.zeros(RING, np.int64), np.zeros(REGISTERS, np.uint64))
        info = np.zeros(8, np.int64)
        number = 0
        with Feed(self.path) as feed:
            self._header(feed)
            while len(feed.data) or feed.fill():
                why = 0
                while len(feed.data) and not why:
                    rows, operands = new_rows(PIECE), np.empty(PIECE, np.uint64)
                    done, count, used, why = _binary.elastic(feed.data, PIECE, rows, operands, *state, info)
                    if done:
                        yield Batch.of_rows(rows[:done], np.zeros(done, np.uint8), operands[:count])
                    number += done
                    feed.drop(used)
                if why == BAD:
                    found = f"bytes {feed.data[:16].tobytes().hex()}, which are no InstDepRecord"
                    raise self._bad("record", number, feed.offset, found)
                if len(feed.data):
                    if feed.final:
                        raise self._cut("record", number, feed.offset, len(feed.data))
                    feed.fill()
        self._note(info, number)

    def _header(self, feed: Feed) -> None:
        while len(feed.data) < LONGEST_HEADER and not feed.final:
            feed.fill()
        data = feed.data.tobytes()
        if data[:4] != b"gem5":
            raise self._bad("header", 0, 0, f"{data[:4]!r} instead of b'gem5'")
        try:
            length, place = read_varint(data, 4)
            fields = read_fields(data[place : place + length])
        except IndexError:
            raise self._cut("header", 0, 4, len(data) - 4) from None
        except ValueError:
            raise self._bad("header", 0, 4, f"{data[4:20].hex()}, which is no message") from None
        if place + length > len(data):
            raise self._cut("header", 0, 4, len(data) - 4)
        if not (isinstance(fields.get(3), int) and isinstance(fields.get(4), int)) or isinstance(
            fields.get(1), int
        ):
            raise self._bad("header", 0, 4, "another message than InstDepRecordHeader")
        self.meta["tick_frequency"] = fields[3]
        self.meta["window_size"] = fields[4]
        self.meta["recorded_by"] = bytes(fields.get(1, b"")).decode(errors="replace")
        feed.drop(place + length)

    def _note(self, info: npt.NDArray[np.int64], number: int) -> None:
        names = ("total", "recorded_period", "longest")
        self.meta["comp_delay_ticks"] = dict(zip(names, (int(info[k]) for k in (2, 3, 6)), strict=True))
        self.meta["register_dependences_lost"] = int(info[0])
        self.meta["order_dependences_lost"] = int(info[1])
        self.meta["filtered_instructions"] = int(info[4])
        self.meta["records_without_pc"] = int(info[5])
        self.meta["has_pc"] = bool(info[5] < number)
        self.meta["notes"] = (
            "synthetic registers; comp_delay is in ticks of the recorded clock, rescale it by the ratio of the clocks"
        )


def read_varint(data: bytes, place: int) -> tuple[int, int]:
    """A protobuf varint and the place behind it; IndexError where it is cut off, ValueError where it has no end."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        value |= (byte & 127) << shift
        place += 1
        if byte < 128:
            return value, place
    raise ValueError(place)


def read_fields(data: bytes) -> dict[int, Any]:
    """The last value of each field of a message: whole numbers and byte strings."""
    fields: dict[int, Any] = {}
    place = 0
    while place < len(data):
        tag, place = read_varint(data, place)
        if tag & 7 == 0:
            fields[tag >> 3], place = read_varint(data, place)
        elif tag & 7 == 2:
            length, place = read_varint(data, place)
            fields[tag >> 3] = data[place : place + length]
            place += length
        else:
            place += 8 if tag & 7 == 1 else 4
    return fields


HEADER_TYPE = 25
OLD_LAST = 9
MAX_ACCESS, MAX_LENGTH = 4096, 16  # bytes of an access and of an instruction that are likely


def entry_layout(head: bytes) -> tuple[int, bool] | None:
    """Bytes of an entry and whether it is the layout of 2015; None where it is neither."""
    data = np.frombuffer(head, np.uint8)
    if len(data) >= 4 and int(data[0]) | int(data[1]) << 8 == HEADER_TYPE and not data[2:4].any():
        return 12, False
    for stride in (12, 16):
        count = min(len(data) // stride, 256)
        if not count:
            continue
        entries = data[: count * stride].reshape(count, stride)
        kinds = entries[:, 0].astype(int) + 256 * entries[:, 1].astype(int)
        sizes = entries[:, 2].astype(int) + 256 * entries[:, 3].astype(int)
        likely = (
            (kinds <= OLD_LAST)
            & ((kinds > 1) | (sizes <= MAX_ACCESS))
            & ((kinds != 3) | (sizes <= MAX_LENGTH))
        )
        if likely.all() and not entries[:, 4 : stride - 8].any():
            return stride, True
    return None


class DrmemtraceReader(Reader):
    """DynamoRIO's memory trace, one thread or the threads one after another as they stand.

    Read are the layout of 2015 (with and without padding) and files with a header, gzip or zip; prefetches, flushes
    and markers are left out and counted.
    """

    name = "drmemtrace"
    has = ("pc",)
    remedy = (
        "read are the layout of 2015 and final traces (*.trace.gz, *.trace.zip); raw files of the tracer (*.raw) must "
        "first be converted, `drrun -t drcachesim -indir FOLDER -simulator_type basic_counts`"
    )

    def _batches(self) -> Iterator[Batch]:
        info = np.zeros(9, np.int64)
        assembler = Assembler()
        with Feed(self.path) as feed:
            while len(feed.data) < SEEN and not feed.final:
                feed.fill()
            layout = entry_layout(feed.data.tobytes())
            if layout is None:
                start = feed.data[:16].tobytes().hex()
                raise self._bad("entry", 0, 0, f"bytes {start}, which are no trace entries")
            self.meta["has_branches"] = not layout[1]
            for events in self._events(feed, *layout, info):
                yield assembler.batch(events, False, info)
        yield assembler.batch(no_events(), True, info)
        self.meta["prefetches_left_out"] = int(info[3])
        self.meta["thread_switches"] = int(info[4])
        self.meta["mixed_sizes"] = int(info[2])

    def _events(self, feed: Feed, stride: int, old: bool, info: npt.NDArray[np.int64]) -> Iterator[Events]:
        from hwmodel.cryo import _binary

        number = 0
        while len(feed.data) or feed.fill():
            count = len(feed.data) // stride
            room = no_events(8 * count if not old else count)
            filled, used, unknown = _binary.drmemtrace(feed.data, stride, old, *room.parts(), info)
            yield room.between(0, filled)
            number += used // stride
            feed.drop(used)
            if unknown >= 0:
                raise self._bad("entry", number, feed.offset, f"type {unknown}, which is not known")
            if len(feed.data):
                if feed.final:
                    raise self._cut("entry", number, feed.offset, len(feed.data))
                feed.fill()
        if not old and not info[5]:
            raise TraceFileError(
                f"'{self.path}' is truncated, read as {self.name}: entry {number - 1} is not the footer; "
                "fetch or make it again"
            )

"""What the tests of traces share: a reader's content as plain Python values."""

from __future__ import annotations

import pytest

from hwmodel.cryo import _format_bytes
from hwmodel.cryo.trace import TAKEN


@pytest.fixture
def file(tmp_path):
    def make(content, name="a.bin"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return make


@pytest.fixture
def small_blocks(monkeypatch):
    def use(size):
        init = _format_bytes.Feed.__init__
        monkeypatch.setattr(
            _format_bytes.Feed, "__init__", lambda feed, path, block=0: init(feed, path, size)
        )

    return use


@pytest.fixture(scope="session")
def plain():
    """A trace as a list of (pc, loads, stores, taken, branch, sources, destinations, sizes)."""

    def read(trace, **window):
        found = []
        for chunk in trace.chunks(**window):
            place = 0
            for number in chunk.ids.tolist():
                record = chunk.statics[number & (TAKEN - 1)]
                middle = place + int(record["loads"])
                end = middle + int(record["stores"])
                found.append(
                    {
                        "pc": int(record["pc"]),
                        "size": int(record["size"]),
                        "loads": chunk.addresses[place:middle].tolist(),
                        "stores": chunk.addresses[middle:end].tolist(),
                        "load_size": int(record["load_size"]),
                        "store_size": int(record["store_size"]),
                        "taken": number >= TAKEN,
                        "branch": int(record["branch"]),
                        "op": int(record["op"]),
                        "flags": int(record["flags"]),
                        "sources": [r for r in record["sources"].tolist() if r],
                        "destinations": [r for r in record["destinations"].tolist() if r],
                    }
                )
                place = end
            assert place == len(chunk.addresses)
        return found

    return read

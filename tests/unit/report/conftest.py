"""Results made by hand, so that reports are tested without running a simulation."""

import os
from pathlib import Path

import numpy as np
import pytest

from hwmodel.kernel import Result, Trace

GOLDEN = Path(__file__).parents[2] / "golden"


def make_trace(name, kind="pulse", t=(), value=(), width=1, initial=0):
    return Trace(name, kind, np.asarray(t, np.int64), np.asarray(value, np.int64), width, initial)


def make_result(*traces, until=400_000, stats=None, fingerprint="00ff", **manifest):
    manifest = {"name": "demo", "seed": 1, **manifest, "until_fs": until}
    return Result({trace.name: trace for trace in traces}, stats or {}, manifest, fingerprint)


@pytest.fixture(scope="session")
def trace():
    return make_trace


@pytest.fixture(scope="session")
def result():
    return make_result


@pytest.fixture(scope="session")
def golden():
    """Compare text with a committed file; HWMODEL_UPDATE_GOLDEN=1 writes the file anew."""

    def compare(name, text):
        file = GOLDEN / name
        if os.environ.get("HWMODEL_UPDATE_GOLDEN") == "1":
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")

    return compare


@pytest.fixture(scope="session")
def manifest():
    """A manifest with a loop, a link over two columns, two sources and a feedback."""

    def port(name, direction, protocol="event", width=1):
        return {"name": name, "direction": direction, "protocol": protocol, "width": width}

    delay = {"value": 3.5, "unit": "ps", "source": "table 2 of the library"}
    return {
        "hwmodel": "0.1.0",
        "versions": {"python": "3.11", "numpy": "2.4"},
        "name": "stream",
        "seed": 7,
        "window_fs": "auto",
        "runner": "loop",
        "components": [
            {"path": "asic", "type": "AsicStream", "spec": {"rate_ghz": 1.5},
             "ports": [port("drive", "in"), port("features", "out", width=32)]},
            {"path": "readout", "type": "Rtl", "spec": {},
             "ports": [port("x", "in", "bits", 32), port("y", "out", "bits", 8)]},
            {"path": "net.xor", "type": "Netlist", "spec": {"delay": delay},
             "ports": [port("a", "in", "pulse"), port("q", "out", "pulse")]},
            {"path": "core", "type": "Core", "spec": {"l1": {"ways": 4}},
             "ports": [port("mailbox", "in", width=8), port("spikes", "in"), port("raw", "in"), port("back", "out")]},
        ],
        "links": [
            {"source": "asic.features", "target": "readout.x", "latency_fs": 4_000_000},
            {"source": "asic.features", "target": "core.raw", "latency_fs": 3_500_000},
            {"source": "readout.y", "target": "core.mailbox", "latency_fs": 2_000_000},
            {"source": "net.xor.q", "target": "core.spikes", "latency_fs": 20_000},
            {"source": "core.back", "target": "asic.drive", "latency_fs": 10_000_000},
        ],
        "drives": [{"port": "net.xor.a", "count": 3}],
        "warnings": ["core.mailbox: read at half the rate of its writer"],
        "windows": 12,
        "created": "2026-01-02T03:04:05Z",
    }  # fmt: skip

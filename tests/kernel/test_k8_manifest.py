"""K8: every result carries specs, topology, versions, window, seed and warnings."""

from __future__ import annotations

import json
from dataclasses import dataclass

import hwmodel as hw
from hwmodel.units import Time, ns, ps

from .models import Relay


@dataclass(frozen=True)
class RelaySpec:
    """Parameters that must come back in the manifest."""

    delay: Time = ps(3)
    clock: hw.Clock = hw.Clock(period=ps(10))


class Warner(Relay):
    def check(self) -> list[str]:
        return [f"'{self.name}' is unusual"]


def _manifest() -> dict:
    a, b = Relay("a"), Warner("b")
    a.spec = RelaySpec()
    system = hw.System(a, b, seed=11, name="pair")
    system.connect(a.o0, b.i0, latency=ps(20))
    system.drive("a.i0", at=ps([5]), values=[0])
    return system.run(until=ns(1), watch=["b.i0"], window=ps(7)).manifest


def test_it_says_what_was_run() -> None:
    manifest = _manifest()
    assert manifest["name"] == "pair"
    assert (manifest["seed"], manifest["until_fs"], manifest["window_fs"]) == (11, 10**6, 7000)
    assert manifest["runner"] == "loop"
    assert manifest["watch"] == ["b.i0"]
    assert manifest["windows"] > 0


def test_it_holds_specs_and_topology() -> None:
    manifest = _manifest()
    assert [c["path"] for c in manifest["components"]] == ["a", "b"]
    assert manifest["components"][0]["spec"] == {"delay": "ps(3)", "clock": "Clock(GHz(100))"}
    assert manifest["links"] == [{"source": "a.o0", "target": "b.i0", "latency_fs": 20_000}]
    assert manifest["drives"][0]["port"] == "a.i0"


def test_it_holds_versions_and_warnings() -> None:
    manifest = _manifest()
    assert manifest["hwmodel"] == hw.__version__
    assert {"python", "numpy", "platform"} <= set(manifest["versions"])
    assert manifest["warnings"] == ["'b' is unusual"]


def test_it_is_plain_json() -> None:
    manifest = _manifest()
    assert json.loads(json.dumps(manifest)) == manifest

"""Relaxed resources: each relaxation changes what it names, and the one that binds is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hwmodel.cryo.config import at_clock, cryo_inorder, cryo_ooo
from hwmodel.cryo.generators import Body, Chase, Stream, generate
from hwmodel.cryo.wall import RELAXATIONS, relaxed, sensitivities, sensitivity
from hwmodel.errors import UnknownNameError
from hwmodel.units import GHz

FAST = at_clock(cryo_ooo(), "100 GHz", "core")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("traces")
    loads = Body(loads=0.5, stores=0, taken=0)
    generate(made / "stream.hwt", Stream("16 kB"), 30_000, body=loads)
    generate(made / "chase.hwt", Chase("64 MB"), 6_000, body=loads)
    return made


@pytest.mark.parametrize("name", RELAXATIONS)
def test_every_relaxation_changes_a_machine_that_has_the_resource(name: str) -> None:
    machine = FAST if "ooo" in RELAXATIONS[name].cores else at_clock(cryo_inorder(), "100 GHz", "core")
    assert relaxed(machine, name) != machine
    assert relaxed(relaxed(machine, name), name) == relaxed(machine, name) or name == "dram bandwidth"


def test_a_relaxed_level_runs_at_the_clock_of_the_core() -> None:
    found = relaxed(FAST, "l2")
    assert {n for n, c in found.levels.items() if c.clock == GHz(100)} == {"l2"}
    assert found.l1d.bus.clock == GHz(100)
    assert found.levels["l2"].bus.clock == GHz(4)


def test_the_queue_that_is_too_short_is_found(folder: Path) -> None:
    narrow = replace(cryo_ooo(), core=replace(cryo_ooo().core, lq=2))
    found = sensitivity(folder / "stream.hwt", narrow, warmup=15_000, workers=1)
    queues = [r.name for r in found.reliefs if r.name not in ("l1d", "lq+sq+window")]
    assert queues[0] == "lq"
    assert found.reliefs[0].share > 0.3


def test_a_chase_through_memory_waits_for_its_latency(folder: Path) -> None:
    names = ["lq", "mshrs", "l1d", "dram latency", "dram bandwidth", "branches"]
    found = sensitivity(folder / "chase.hwt", FAST, names, workers=1)
    assert found.first.name == "dram latency"
    assert found.first.share > 0.4
    assert found.first.removed == found.base.time - found.first.time


def test_reliefs_fall(folder: Path) -> None:
    found = sensitivity(folder / "stream.hwt", FAST, limit=5000, workers=1)
    shares = [relief.share for relief in found.reliefs]
    assert shares == sorted(shares, reverse=True)
    assert [line.split("%")[0].split()[-1] for line in str(found).splitlines()[1:]] == [
        f"{100 * share:.1f}" for share in shares
    ]


def test_a_core_is_asked_for_its_own_resources_only(folder: Path) -> None:
    machine = at_clock(cryo_inorder(), "100 GHz", "core")
    found = sensitivity(folder / "stream.hwt", machine, limit=2000, workers=1)
    names = {relief.name for relief in found.reliefs}
    assert names == {name for name, item in RELAXATIONS.items() if "inorder" in item.cores}
    assert "lq" not in names


def test_several_cases_give_what_each_gives_alone(folder: Path) -> None:
    cases = {w: (folder / f"{w}.hwt", FAST) for w in ("stream", "chase")}
    together = sensitivities(cases, ["lq", "l1d"], limit=2000, workers=2)
    for name, (trace, machine) in cases.items():
        assert together[name] == sensitivity(trace, machine, ["lq", "l1d"], limit=2000, workers=1)


def test_an_unknown_relaxation_is_refused(folder: Path) -> None:
    with pytest.raises(UnknownNameError, match="mshrs"):
        sensitivity(folder / "stream.hwt", FAST, ["mshr"])
    with pytest.raises(UnknownNameError, match="lq"):
        relaxed(FAST, "l q")

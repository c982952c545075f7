"""Timed cores that share a last level: one alone, several apart, and several in each other's way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from hwmodel.cryo.config import Bus, cryo_inorder, cryo_ooo
from hwmodel.cryo.generators import Stream, Uniform, Zipf, generate
from hwmodel.cryo.multicore import CoherenceCounts, MultiTiming, simulate_cores
from hwmodel.cryo.presets import champsim
from hwmodel.cryo.timing import simulate
from hwmodel.cryo.trace import Op, TraceWriter
from hwmodel.errors import HwmodelError
from hwmodel.units import GHz, ns, ps
from tests.unit.cryo import multicore_scenario

COUNT = 4000


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traces")
    patterns = {
        "stream": Stream("256 kB"),
        "small": Uniform("4 kB"),
        "tiny": Stream("1 kB"),
        "uniform": Uniform("1 MB"),
        "zipf": Zipf("64 kB"),
    }
    for seed, (name, pattern) in enumerate(patterns.items()):
        writes = Stream("2 kB") if name in ("small", "tiny") else None
        generate(folder / f"{name}.hwt", pattern, instructions=COUNT, writes=writes, seed=seed)
    write_counters(folder / "counters.hwt")
    return {name: str(folder / f"{name}.hwt") for name in (*patterns, "counters")}


def write_counters(path):
    """Eight counters on lines of their own, each read, raised and written in turn."""
    with TraceWriter(path, {"source": "counters", "has_pc": True}) as writer:
        load = writer.static(pc=0x1000, size=4, loads=1, load_size=8, destinations=[5])
        add = writer.static(pc=0x1004, size=4, op=Op.INT, sources=[5], destinations=[5])
        store = writer.static(pc=0x1008, size=4, stores=1, store_size=8, sources=[5])
        for n in range(COUNT // 3):
            address = 0x20000 + 64 * (n % 8)
            writer.write([load, add, store], [address, address])


def quiet(machine):
    """The machine that touches what its program does and no more, at addresses that do not depend on others."""
    levels = {name: replace(level, prefetcher="none") for name, level in machine.levels.items()}
    return replace(machine, first_touch=False, core=replace(machine.core, predictor="perfect"), **levels)


MACHINES = {
    "ooo": cryo_ooo(),
    "inorder": cryo_inorder(),
    "fast": cryo_ooo(GHz(100), "l1"),
    "champsim": champsim(),
    "inclusive": replace(cryo_ooo(), inclusion="inclusive"),
    "no l2": replace(cryo_inorder(), l2=None),
    "random": replace(cryo_ooo(), l1d=replace(cryo_ooo().l1d, policy="random", size=4096, ways=4)),
    "physical": replace(cryo_ooo(), first_touch=False),
}


# ------------------------------------------------------------------------------------------------- one core alone


@pytest.mark.parametrize("protocol", ["none", "mesi"])
@pytest.mark.parametrize("name", MACHINES)
def test_one_core_alone_is_a_plain_run(traces, name, protocol):
    found = simulate_cores(traces["uniform"], MACHINES[name], protocol=protocol)
    assert found.cores == (simulate(traces["uniform"], MACHINES[name]),)
    assert found.shared["l3"] == found.cores[0].levels["l3"]
    assert found.dram == found.cores[0].dram


@pytest.mark.parametrize("name", ["ooo", "inorder", "champsim"])
def test_one_core_alone_is_a_plain_run_behind_a_warm_up(traces, name):
    window = {"start": 100, "warmup": 1500, "limit": 2000}
    found = simulate_cores(traces["zipf"], MACHINES[name], **window)
    assert found.cores == (simulate(traces["zipf"], MACHINES[name], **window),)


def test_what_the_quantum_is_does_not_matter_to_one_core(traces):
    one, two = (simulate_cores(traces["zipf"], cryo_ooo(), quantum=q) for q in (ps(0), ns(10)))
    assert one == two


# --------------------------------------------------------------------------------------- cores that are kept apart


@pytest.mark.parametrize("kinds", [("ooo", "ooo"), ("inorder", "inorder"), ("inorder", "ooo")])
def test_cores_that_stay_within_caches_large_enough_run_as_if_alone(traces, kinds):
    """Exactly: what they share is never asked by two at once, for private buses lead to a last level without ports."""
    machines = [quiet(MACHINES[kind]) for kind in kinds]
    both = [traces["small"], traces["tiny"]]
    window = {"warmup": COUNT // 2}
    found = simulate_cores(both, machines, **window)
    alone = [simulate(t, machine, **window) for t, machine in zip(both, machines, strict=True)]
    assert [core.cycles for core in found.cores] == [core.cycles for core in alone]
    assert [core.cpi_stack for core in found.cores] == [core.cpi_stack for core in alone]


def test_the_same_trace_in_separate_spaces_shares_no_line(traces):
    found = simulate_cores(traces["zipf"], cryo_ooo(), cores=3)
    assert found.total_coherence == CoherenceCounts()


def test_spaces_are_apart_without_a_page_table_too(traces):
    machine = replace(cryo_ooo(), first_touch=False)
    found = simulate_cores(traces["zipf"], machine, cores=3)
    assert found.total_coherence == CoherenceCounts()
    assert found.dram["reads"] >= 3 * simulate(traces["zipf"], machine).levels["l3"].misses * 0.9


# ------------------------------------------------------------------------------------------ cores that share a line


@pytest.mark.parametrize("machine", [cryo_ooo(), replace(cryo_ooo(), first_touch=False)])
def test_the_same_trace_in_one_space_shares_its_lines(traces, machine):
    found = simulate_cores(traces["counters"], machine, cores=2, spaces="shared")
    counts = found.total_coherence
    assert min(counts.upgrades, counts.invalidations, counts.interventions, counts.sharing_misses) > 0
    assert found.dram["reads"] < simulate_cores(traces["counters"], machine, cores=2).dram["reads"]


def test_spaces_may_be_shared_by_some(traces):
    found = simulate_cores(traces["zipf"], cryo_ooo(), cores=3, spaces=[7, 3, 7])
    assert [core.invalidations > 0 for core in found.coherence] == [True, False, True]


def test_sharing_costs_time(traces):
    shared, apart = (
        simulate_cores(traces["counters"], cryo_ooo(), cores=4, spaces=spaces, warmup=1000)
        for spaces in ("shared", "separate")
    )
    assert shared.time > apart.time


def test_an_owner_that_keeps_its_line_spares_the_write_to_the_last_level(traces):
    mesi, moesi = (
        simulate_cores(traces["counters"], cryo_ooo(), cores=2, spaces="shared", protocol=p)
        for p in ("mesi", "moesi")
    )
    assert mesi.total_coherence.writebacks > moesi.total_coherence.writebacks == 0


# ------------------------------------------------------------------------------------- cores in each other's way


def test_two_cores_on_one_memory_are_slower_than_one(traces):
    machine = quiet(cryo_ooo())
    alone = simulate(traces["uniform"], machine).cycles
    found = simulate_cores(traces["uniform"], machine, cores=2)
    assert all(core.cycles > alone for core in found.cores)


def test_a_last_level_that_takes_one_access_at_a_time_holds_cores_up(traces):
    machine = quiet(cryo_ooo())
    machine = replace(machine, l1d=replace(machine.l1d, size=1024), l2=None)
    busy = replace(machine, l3=replace(machine.l3, interval=20))
    window = {"cores": 4, "warmup": COUNT // 2}
    free = simulate_cores(traces["small"], machine, **window)
    held = simulate_cores(traces["small"], busy, **window)
    assert held.time > free.time
    assert held.shared["l3"].port_wait > 0 == free.shared["l3"].port_wait


def test_a_small_last_level_is_fought_over(traces):
    machine = quiet(cryo_ooo())
    small = replace(machine, l2=None, l3=replace(machine.l3, size=16 * 4096))
    alone = simulate(traces["zipf"], small).levels["l3"].misses
    found = simulate_cores(traces["zipf"], small, cores=4)
    assert found.shared["l3"].misses > 4 * alone


def test_the_shares_of_the_cores_sum_to_the_whole(traces):
    found = simulate_cores([traces["uniform"], traces["zipf"], traces["stream"]], cryo_ooo(), warmup=500)
    for name in ("read_accesses", "read_misses", "write_accesses", "prefetches", "merged", "blocked"):
        assert sum(getattr(core.levels["l3"], name) for core in found.cores) == getattr(
            found.shared["l3"], name
        )
    for name in ("reads", "writes", "row_hits"):
        assert sum(core.dram[name] for core in found.cores) == found.dram[name]


# ------------------------------------------------------------------------------------------------ order and quantum


def test_the_order_in_which_traces_are_named_does_not_matter(traces):
    names = ["uniform", "zipf", "stream"]
    found = simulate_cores([traces[name] for name in names], cryo_ooo())
    turned = simulate_cores([traces[name] for name in names[::-1]], cryo_ooo())
    assert found.cores == turned.cores[::-1]
    assert (found.shared, found.dram) == (turned.shared, turned.dram)


def test_machines_go_with_their_traces(traces):
    machines = [cryo_ooo(), cryo_inorder()]
    found = simulate_cores([traces["zipf"], traces["stream"]], machines)
    turned = simulate_cores([traces["stream"], traces["zipf"]], machines[::-1])
    assert found.cores == turned.cores[::-1]


@pytest.mark.parametrize("spaces", ["separate", "shared"])
def test_half_the_quantum_changes_little(traces, spaces):
    names = [traces[name] for name in ("uniform", "zipf")]
    long, short = (simulate_cores(names, cryo_ooo(), spaces=spaces, quantum=q).cores for q in (ns(2), ns(1)))
    for one, other in zip(long, short, strict=True):
        assert one.cycles == pytest.approx(other.cycles, rel=0.03)


def test_sixteen_cores_run_and_each_does_all_its_instructions(traces):
    found = simulate_cores(traces["zipf"], cryo_inorder(), cores=16, spaces="shared", limit=1000)
    assert [core.instructions for core in found.cores] == [1000] * 16


def test_a_core_whose_trace_has_ended_rests(traces, tmp_path):
    generate(tmp_path / "short.hwt", Zipf("8 kB"), instructions=50, seed=1)
    found = simulate_cores([str(tmp_path / "short.hwt"), traces["zipf"]], cryo_ooo())
    assert [core.instructions for core in found.cores] == [50, COUNT]


def test_plain_python_gives_the_same(capsys):
    multicore_scenario.main()
    compiled = json.loads(capsys.readouterr().out)
    plain = subprocess.run(
        [sys.executable, multicore_scenario.__file__],
        env={**os.environ, "HWMODEL_JIT": "0", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(plain.stdout) == compiled
    assert compiled["coherence"]["interventions"] > 0


# --------------------------------------------------------------------------------------------------------- the door


def test_figures_are_plain_data(traces):
    found = simulate_cores(traces["zipf"], cryo_ooo(), cores=2, limit=500)
    table = json.loads(json.dumps(found.as_dict()))
    assert [core["instructions"] for core in table["cores"]] == [500, 500]
    assert table["instructions"] == found.instructions == 1000
    assert table["l3"]["read_accesses"] == found.shared["l3"].read_accesses
    assert "core 1: 500 instructions" in str(found)


def test_progress_is_told_of_all_cores(traces):
    seen = []
    simulate_cores(
        traces["zipf"], cryo_ooo(), cores=2, progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (2 * COUNT, 2 * COUNT)


def test_nothing_ran_in_no_time():
    assert MultiTiming((), (), {}, {}).time == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cores": 17}, "17 cores; give 1 to 16"),
        ({"cores": 0}, "cores=0"),
        ({"protocol": "msi"}, "msi"),
        ({"spaces": "some"}, "some"),
        ({"spaces": [0, 1]}, "1 cores"),
        ({"quantum": -ps(1)}, "quantum"),
        ({"warmup": -1}, "warmup=-1"),
        ({"limit": 1.5}, "limit=1.5"),
        ({"machine": None}, "give a Machine"),
        ({"machine": [cryo_ooo()] * 2}, "2 machines for 1 cores"),
        ({"machine": replace(cryo_ooo(), l3=None)}, "no l3"),
    ],
)
def test_what_cannot_be_run_is_refused(traces, change, words):
    with pytest.raises(HwmodelError, match=words):
        simulate_cores(traces["zipf"], **{"machine": cryo_ooo(), **change})


def test_cores_that_differ_in_what_they_share_are_refused(traces):
    other = replace(cryo_ooo(), l3=replace(cryo_ooo().l3, bus=Bus(GHz(2))))
    with pytest.raises(HwmodelError, match="core 1 has l3="):
        simulate_cores(traces["zipf"], [cryo_ooo(), other], cores=2)

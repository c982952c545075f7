"""The closed loop of eight components: against a reference without any kernel, and against itself run in other ways."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pyrtl", reason="PyRTL is in the extra 'rtl'")

import hwmodel as hw
from hwmodel import hdl, sfq
from hwmodel.cryo import technology
from hwmodel.errors import HwmodelError, SpecError, WindowError
from hwmodel.fixedpoint import emit
from hwmodel.sfq.neuro import synapse_cell
from hwmodel.units import MHz, fs, ns, ps, to_fs, us
from sims.neuromorphic_edge import loop as edge
from sims.neuromorphic_edge import parts

from . import edge_reference as ref
from .neuromorphic_edge_parts import CURRENTS, LOOP, TARGETS, UNTIL, WATCH, readout, shrunk, write_program

ROOT = Path(__file__).resolve().parents[2]
SIGNALS = (
    "asic.hit", "asic.result",
    "features.rate", "features.burst", "features.a", "features.b", "features.clk", "features.frame",
    "sfq.a", "sfq.b", "sfq.clk", "sfq.out1", "sfq.out2",
    "counter.data", "counter.valid", "readout.out_data", "readout.out_valid",
    "taker.estimate", "core.estimate", "core.step", "tuner.frequency",
)  # fmt: skip
LOOKAHEAD = ref.BOARD  # the shortest links are ten centimetres of a board
FAST = ((0, 400), (20_000_000_000, 1500))  # set points beyond the chip's range
SHORT = us(12)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trace of the shrunk loop's core."""
    return write_program(tmp_path_factory.mktemp("edge") / "controller.hwt")


def events(trace: Any) -> list[tuple[int, int]]:
    """Times and values of a trace; a pulse has no value."""
    values = [0] * len(trace.t) if trace.kind == "pulse" else trace.value.tolist()
    return list(zip(trace.t.tolist(), values, strict=True))


# ------------------------------------------------------------------------------------------------------ the reference


@pytest.mark.parametrize(
    ("seed", "targets"), [(1, TARGETS), (2, TARGETS), (5, TARGETS), (3, FAST), (8, FAST)]
)
def test_the_loop_equals_a_monolithic_reference_event_by_event(program, seed: int, targets) -> None:
    found = shrunk(program, seed, targets).run(until=UNTIL, watch=SIGNALS, progress=False)
    expected = ref.reference(seed, CURRENTS, targets, int(UNTIL))
    for name in SIGNALS:
        assert events(found[name]) == expected.get(name, []), name
    assert len(expected["tuner.frequency"]) > 5


def on_the_first_clock(hits: list[int]) -> list[bool]:
    """For each hit whether it is at a step of a clock that has been at its first frequency all the time."""
    step = ref.SECOND // ref.START  # a period is a third of a femtosecond longer
    numbers = [round(3 * t / (3 * step + 1)) for t in hits]
    return [n * ref.SECOND // ref.START == t for n, t in zip(numbers, hits, strict=True)]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_loop_is_closed_and_each_round_moves_later_hits(seed: int) -> None:
    log = ref.reference(seed, CURRENTS, TARGETS, int(UNTIL))
    changes = log["tuner.frequency"][1:]
    assert len(changes) >= 5
    assert len({hertz for _, hertz in changes}) >= 5
    first = changes[0][0] + ref.BOARD
    hits = [t for t, _ in log["asic.hit"]]
    before, after = [t for t in hits if t < first], [t for t in hits if t >= first]
    assert all(on_the_first_clock(before))
    assert not any(on_the_first_clock(after)[5:])
    # Another gain is another run from the first step on, and the same one before it.
    other = ref.reference(seed, CURRENTS, ((0, 90),), int(UNTIL))
    assert [t for t, _ in other["asic.hit"] if t < first] == before
    assert [t for t, _ in other["asic.hit"] if t >= first] != after


def test_runs_of_the_reference_meet_both_limits_and_a_tuner_that_is_busy() -> None:
    low = ref.reference(5, CURRENTS, TARGETS, int(UNTIL))
    high = ref.reference(3, CURRENTS, FAST, int(UNTIL))
    assert ref.LOW in [hertz for _, hertz in low["tuner.frequency"]]
    assert ref.HIGH in [hertz for _, hertz in high["tuner.frequency"]]
    gaps = np.diff([t for t, _ in high["core.step"]])
    assert gaps.min() < ref.SETTLE  # a step comes while the one before settles


def test_the_reference_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(ref.__file__).read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in nodes}
    assert names <= {*sys.stdlib_module_names, "numpy", "collections.abc"}


def test_numbers_of_the_reference_are_those_of_the_tables() -> None:
    loop = edge.Loop(**LOOP)
    cells = {
        **{name: sfq.library()[name] for name in ref.STEPS if name != "synapse"},
        "synapse": synapse_cell(),
    }
    for name, cell in cells.items():
        for (state, port), (following, fires) in ref.STEPS[name].items():
            step = cell.step(str(state), port)
            assert (step.next, {q: int(d) for q, d in step.fires.items()}) == (str(following), fires), name
        holds = {(int(h.state), h.first, h.second): int(h.time) for h in cell.holds}
        written = {(*key, second): t for key, row in ref.HOLDS[name].items() for second, t in row.items()}
        assert holds == written, name
    cables = (
        technology.flight_time("0.1 m"),
        technology.crossing_time(4, 77),
        technology.crossing_time(4, 300),
    )
    assert tuple(map(int, cables)) == (ref.BOARD, ref.TO_77_K, ref.TO_300_K)
    assert int(loop.network.latency) == ref.Encoder.LATENCY
    assert emit(readout()).latency_cycles == ref.RANKS
    core = edge.machine(loop).core
    assert (core.issue_to_execute, core.complete_to_commit) == (ref.ISSUE_TO_EXECUTE, ref.COMPLETE_TO_COMMIT)
    assert (core.load_delay, core.store_delay) == (ref.LOAD_DELAY, ref.STORE_DELAY)
    assert core.units["int"].latency == 1
    assert (loop.gain, int(loop.frequency.hz)) == (ref.GAIN, ref.START)
    assert (to_fs(hw.Clock(loop.core_clock).edge(1)), to_fs(hw.Clock(loop.readout_clock).edge(1))) == (
        ref.CYCLE,
        ref.EDGE,
    )


# ------------------------------------------------------------------------------------ windows, runners, orders, engines


@pytest.fixture(scope="module")
def plain(program) -> str:
    """Fingerprint of a short run, made in the plainest way."""
    return shrunk(program).run(until=SHORT, watch=WATCH, progress=False).fingerprint


@pytest.mark.parametrize("runner", ["loop", "simpy"])
@pytest.mark.parametrize("window", ["auto", LOOKAHEAD, LOOKAHEAD - 1, 200_003, 50_000, 9_999])
def test_the_fingerprint_is_the_same_for_every_window_and_both_runners(
    program, plain, window, runner
) -> None:
    asked = window if window == "auto" else fs(window)
    found = shrunk(program).run(until=SHORT, watch=WATCH, window=asked, runner=runner, progress=False)
    assert found.fingerprint == plain


def test_a_window_beyond_the_lookahead_is_refused(program) -> None:
    with pytest.raises(WindowError, match=r"exceeds the latency 476\.521 ps"):
        shrunk(program).run(until=SHORT, window=fs(LOOKAHEAD + 1), progress=False)


@settings(max_examples=8)
@given(order=st.permutations(range(8)), window=st.none() | st.integers(20_000, LOOKAHEAD))
def test_the_fingerprint_is_the_same_for_any_order_of_components(program, plain, order, window) -> None:
    system = shrunk(program, order=lambda components: [components[n] for n in order])
    asked: Any = "auto" if window is None else fs(window)
    assert system.run(until=SHORT, watch=WATCH, window=asked, progress=False).fingerprint == plain


def test_a_run_in_pieces_is_the_run_in_one(program, plain) -> None:
    system = shrunk(program)
    for stop in (fs(1), us(3), fs(5_683_000_001), ns(5_695), us(9)):
        system.run(until=stop, watch=WATCH, progress=False)
    assert system.run(until=SHORT, progress=False).fingerprint == plain


def test_another_seed_and_another_set_point_have_other_fingerprints(program, plain) -> None:
    others = [shrunk(program, seed=2), shrunk(program, targets=((0, 151),)), shrunk(program, gain=300_001)]
    found = {system.run(until=SHORT, watch=WATCH, progress=False).fingerprint for system in others}
    assert len({plain, *found}) == 4


def need_verilator() -> None:
    """Skip where Verilator or a compiler is not installed."""
    absent = [name for name in ("verilator", "g++") if not hdl.tools()[name]]
    if absent:
        pytest.skip(f"simulator 'verilator' needs {', '.join(absent)}, which is not installed")


# -------------------------------------------------------------------------------------------------------- checkpoints


def instants() -> Iterator[tuple[str, int]]:
    """Moments in the middle of things, by the reference: of the second round, when the first has changed the clock."""
    log = ref.reference(1, CURRENTS, TARGETS, int(UNTIL))
    slots = [t for t, _ in log["sfq.clk"]]
    yield "a slot of the frame", slots[ref.SLOTS + 3] + 33_333
    yield "pulses between 300 K and 4 K", log["features.clk"][ref.SLOTS + 5][0] + 1
    asked, told = log["core.estimate"][1][0], log["core.step"][1][0]
    yield "the core computes", asked + (told - asked) // 2
    yield "the core's last instructions", told - 2 * ref.CYCLE
    yield "the step settles", told + 100_000_000
    yield "the readout's pipeline", log["counter.valid"][2][0] + 3 * ref.NS
    hit = next(t for t, _ in log["asic.hit"] if t > told)
    yield "a frame on the serial line", hit + ref.FRAME // 2


INSTANTS = dict(instants())


def alone(what: str, program: Path, simulator: str, t: int, *files: Path) -> list[str]:
    """Fingerprints of runs that a new process makes, saves or resumes."""
    given = [what, str(program), simulator, str(t), *map(str, files)]
    command = [sys.executable, "-m", "tests.system.neuromorphic_edge_parts", *given]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def whole(program) -> str:
    """Fingerprint of a run that nothing interrupts."""
    return shrunk(program).run(until=UNTIL, watch=WATCH, progress=False).fingerprint


@pytest.fixture(scope="module")
def resumed(program, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Fingerprints of runs that were saved at the instants, and resumed by another process one after the other."""
    folder = tmp_path_factory.mktemp("checkpoints")
    files = [folder / f"{n}.ckpt" for n in range(len(INSTANTS))]
    for t, file in zip(INSTANTS.values(), files, strict=True):
        system = shrunk(program)
        system.run(until=fs(t), watch=WATCH, progress=False)
        system.checkpoint(file)
    return dict(zip(INSTANTS, alone("resume", program, "pyrtl", int(UNTIL), *files), strict=True))


@pytest.mark.parametrize("when", INSTANTS)
def test_a_checkpoint_in_the_middle_goes_on_in_a_new_process(whole, resumed, when: str) -> None:
    assert resumed[when] == whole


def test_both_simulators_of_the_readout_give_one_fingerprint(program, whole, tmp_path) -> None:
    need_verilator()
    assert alone("run", program, "verilator", int(UNTIL), tmp_path / "none") == [whole]


def test_a_checkpoint_under_verilator_goes_on_in_a_new_process(program, whole, tmp_path) -> None:
    need_verilator()
    file = tmp_path / "half.ckpt"
    alone("save", program, "verilator", INSTANTS["the readout's pipeline"], file)
    assert alone("resume", program, "verilator", int(UNTIL), file) == [whole]


# ----------------------------------------------------------------------------------------------------- what it is for


def test_the_hit_rate_follows_a_step_of_the_target() -> None:
    system = edge.closed(edge.Loop(simulator="pyrtl"), seed=4, steps=200)
    targets = 130, 260
    system.drive("core.target", at=[fs(0), us(200)], values=targets)
    hits = system.run(until=us(500), watch=["asic.hit"], progress=False)["asic.hit"].t
    for target, (begin, end) in zip(targets, ((us(60), us(200)), (us(320), us(500))), strict=True):
        number = np.count_nonzero((hits >= int(begin)) & (hits < int(end)))
        rate = number / (int(end) - int(begin)) * 1e9 * edge.UNITS
        # Some 280 and 730 hits: 6 % and 4 % of chance, and the readout's bias is below 5 %.
        assert abs(rate / target - 1) < 0.2, (target, rate)


# ----------------------------------------------------------------------------------------------------------- the parts


@given(gap=st.integers(1, 10**9), full=st.integers(1, 10**9), start=st.integers(0, 10**12))
def test_even_hits_have_the_rate_of_their_interval_and_no_burst(gap: int, full: int, start: int) -> None:
    times = start + gap * np.arange(17, dtype=np.int64)
    assert parts.rates(times, full) == (min(parts.ONE, parts.ONE * full // gap), 0)


@given(gaps=st.lists(st.integers(0, 10**7), min_size=16, max_size=40), full=st.integers(1, 10**6))
def test_the_rate_is_full_over_the_mean_and_the_burst_counts_the_newest(gaps: list[int], full: int) -> None:
    times = np.cumsum([0, *gaps]).astype(np.int64)
    mean = sum(gaps) / len(gaps)
    rate, burst = parts.rates(times, full)
    assert rate == min(parts.ONE, parts.ONE * full * len(gaps) // max(1, sum(gaps)))
    assert burst == parts.ONE * sum(gap < mean / 2 for gap in gaps[-parts.GROUP :]) // parts.GROUP


def spec_of(**changes: Any) -> parts.EncoderSpec:
    """An encoder of 200 slots."""
    made = parts.EncoderSpec(16, 4, 200, ps(100), ns(200), ns(20), ps(65))
    return replace(made, **changes)


@given(rate=st.integers(0, parts.ONE), burst=st.integers(0, parts.ONE), seed=st.integers(0, 99))
def test_the_share_of_slots_with_a_pulse_is_the_rate(rate: int, burst: int, seed: int) -> None:
    bits = parts.encode(spec_of(), rate, burst, np.random.default_rng(seed))
    assert bits.shape == (200, 2)
    for share, wanted in zip(bits.mean(axis=0), (rate / parts.ONE, burst / parts.ONE), strict=True):
        assert abs(share - wanted) <= 6 * (wanted * (1 - wanted) / 200) ** 0.5
    assert (parts.encode(spec_of(), rate, burst, np.random.default_rng(seed)) == bits).all()


def counted(lines: list[list[int]], frames: list[int], bits: int = 4, **options: Any) -> tuple[Any, Any]:
    """Words and valid bits that a counter shows; times are in fs."""
    counter = parts.PulseCounter("counter", parts.CounterSpec(len(lines), bits, ns(2)))
    system = hw.System(counter)
    for n, times in enumerate(lines):
        system.drive(f"counter.x{n + 1}", at=[fs(t) for t in times])
    system.drive("counter.frame", at=[fs(t) for t in frames])
    result = system.run(until=us(1), watch=["data", "valid"], progress=False, **options)
    return events(result["data"]), events(result["valid"])


def test_a_pulse_of_the_femtosecond_of_frame_belongs_to_that_frame() -> None:
    words, _ = counted([[10**6, 10**7, 10**7 + 1]], [10**7, 2 * 10**7])
    assert words == [(10**7, 2), (2 * 10**7, 1)]


def test_valid_is_one_for_the_hold_and_data_stays() -> None:
    words, valid = counted([[1], [2, 3]], [5 * 10**6])
    assert valid == [(5 * 10**6, 1), (7 * 10**6, 0)]
    assert words == [(5 * 10**6, 0x21)]


def test_a_full_counter_stays_full() -> None:
    words, _ = counted([[1000 * n for n in range(1, 40)], [1000]], [10**6])
    assert words == [(10**6, 0x1F)]


def test_a_word_of_64_bits_is_a_signed_message() -> None:
    pulses = [10_000 * n for n in range(1, 201)]
    words, _ = counted([[]] * 7 + [pulses], [5 * 10**6], bits=8)
    assert [(t, word % (1 << 64)) for t, word in words] == [(5 * 10**6, 200 << 56)]


@settings(max_examples=30)
@given(
    lines=st.lists(st.lists(st.integers(1, 30), max_size=30, unique=True), min_size=2, max_size=2),
    frames=st.lists(st.integers(1, 10), min_size=1, max_size=6, unique=True),
    window=st.sampled_from([1, 2, 7, 1000]),
)
def test_each_frame_counts_what_came_since_the_last(lines, frames, window: int) -> None:
    lines = [sorted(10**6 * t for t in line) for line in lines]
    frames = sorted(3 * 10**6 * t for t in frames)
    expected, last = [], 0
    for end in frames:
        counts = [min(15, sum(last < t <= end for t in line)) for line in lines]
        expected.append((end, counts[0] | counts[1] << 4))
        last = end
    words, valid = counted(lines, frames, window=fs(window * 10**6))
    assert words == expected
    assert [t for t, up in valid if up] == frames


def answers(pins: list[tuple[int, str, int]], width: int) -> list[tuple[int, int]]:
    """What a taker sends for changes at its pins."""
    system = hw.System(parts.taker("taker", width))
    for port in ("data", "valid"):
        of_port = [(t, value) for t, name, value in pins if name == port]
        system.drive(f"taker.{port}", at=[fs(t) for t, _ in of_port], values=[value for _, value in of_port])
    return events(system.run(until=us(1), watch=["estimate"], progress=False)["estimate"])


@given(width=st.integers(2, 32), data=st.data())
def test_the_taker_reads_words_as_signed_numbers(width: int, data: Any) -> None:
    value = data.draw(st.integers(-(1 << width - 1), (1 << width - 1) - 1))
    pins = [(50, "data", value & (1 << width) - 1), (50, "valid", 1), (60, "valid", 0)]
    assert answers(pins, width) == [(51, value)]


def test_the_taker_sends_the_data_of_the_edge_that_is_valid() -> None:
    pins = [
        (10, "data", 5),
        (20, "valid", 1),
        (30, "valid", 0),
        (40, "data", 7),
        (50, "data", 9),
        (50, "valid", 1),
    ]
    assert answers(pins, 8) == [(21, 5), (51, 9)]


def tuned(steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Frequencies that a tuner sends for steps."""
    system = hw.System(parts.tuner("tuner", parts.TunerSpec(300, 100, 650, ns(500))))
    system.drive("tuner.step", at=[fs(t) for t, _ in steps], values=[value for _, value in steps])
    return events(system.run(until=us(9), watch=["frequency"], progress=False)["frequency"])


def test_the_tuner_begins_with_its_start_and_stays_within_its_limits() -> None:
    found = tuned([(10**9 * n, step) for n, step in enumerate((50, 10**9, 1, -1, -(10**9), -1, 7), start=1)])
    assert [hertz for _, hertz in found] == [300, 350, 650, 650, 649, 100, 100, 107]
    assert [t for t, _ in found] == [0, *(10**9 * n + 500 * 10**6 for n in range(1, 8))]


def test_the_tuner_takes_the_next_step_when_the_last_one_has_settled() -> None:
    assert tuned([(10**6, 1), (2 * 10**6, 10)]) == [(0, 300), (501 * 10**6, 301), (1001 * 10**6, 311)]


@given(estimate=st.integers(-2048, 2047), target=st.integers(0, 2047), gain=st.integers(1, 10**7))
def test_a_step_moves_towards_the_target(estimate: int, target: int, gain: int) -> None:
    step = parts.step_of(estimate, target, gain)
    assert abs(step) == gain * abs(target - estimate)
    assert step == 0 or (step > 0) == (estimate < target)


# -------------------------------------------------------------------------------------------------------- at the door


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"intervals": 15}, "intervals=15: give a whole number, 16 to"),
        ({"intervals": 16.5}, r"intervals=16\.5: give a whole number"),
        ({"intervals": 1 << 20}, "intervals=1048576: give a whole number"),
        ({"stride": 0}, "stride=0: give a whole number"),
        ({"stride": 3}, "a frame is longer than 3 results"),
        ({"slots": 0}, "slots=0: give a whole number, 1 to 255"),
        ({"slots": 256}, "slots=256: give a whole number, 1 to 255"),
        ({"period": ps(40)}, "period=40 ps is too short"),
        ({"frequency": MHz(99)}, "give 100 to 650 MHz"),
        ({"frequency": MHz(651)}, "give 100 to 650 MHz"),
        ({"frequency": MHz(300.0000005)}, "in whole Hz"),
        ({"frequency": 3e8}, "a bare number has no unit"),
        ({"gain": 0}, "gain=0: give a whole number"),
        ({"gain": 1.5}, r"gain=1\.5: give a whole number"),
        ({"gain": 10_000_001}, "gain=10000001: give a whole number"),
        ({"sizes": (3, 2)}, "the encoder sends two inputs"),
        ({"sizes": (2, 9)}, "inputs=9 of bits=8"),
        ({"readout_clock": MHz(2)}, "take a faster clock"),
    ],
)
def test_a_bad_parameter_is_refused_at_the_door(changes: dict[str, Any], message: str) -> None:
    small = {"slots": 200} if changes.get("stride") == 3 else {}
    with pytest.raises(HwmodelError, match=message):
        edge.Loop(**{**LOOP, **small, **changes, **({"period": ps(1800)} if small else {})})


def test_a_frequency_may_be_text() -> None:
    assert edge.Loop(frequency="250 MHz").frequency == MHz(250)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: parts.CounterSpec(0, 8, ns(2)),
        lambda: parts.CounterSpec(2, 0, ns(2)),
        lambda: parts.CounterSpec(2, 33, ns(2)),
        lambda: parts.CounterSpec(2, 8, fs(0)),
        lambda: parts.TunerSpec(99, 100, 650, ns(1)),
        lambda: parts.TunerSpec(651, 100, 650, ns(1)),
        lambda: parts.TunerSpec(300, 100, 650, fs(-1)),
        lambda: spec_of(intervals=15),
        lambda: spec_of(stride=0),
        lambda: spec_of(slots=0),
    ],
)
def test_a_bad_part_is_refused_at_the_door(make: Any) -> None:
    with pytest.raises(SpecError, match=r"give|: a word"):
        make()


def test_a_loop_without_rounds_or_with_an_unknown_simulator_is_refused(program) -> None:
    with pytest.raises(SpecError, match="repeat=0"):
        shrunk(program, steps=0)
    with pytest.raises(HwmodelError, match="unknown simulator"):
        shrunk(program, simulator="verilater")


def test_the_shrunk_program_lasts_for_its_rounds(program) -> None:
    result = shrunk(program, steps=4).run(until=UNTIL, watch=["core.step", "core.done"], progress=False)
    assert len(result["core.step"].t) == 4
    assert result["core.done"].value.tolist() == [4 * (3 + ref.WORK)]

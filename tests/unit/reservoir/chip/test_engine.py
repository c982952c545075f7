"""The chip as a component: messages in, frames out, and the rules of the kernel."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel.errors import SpecError
from hwmodel.reservoir.chip import (
    ChipModel,
    ChipResult,
    Crystal,
    ErrorModel,
    FosterLadder,
    HashingChip,
    Physics,
    RealHash,
    SampledHash,
    SupplyNetwork,
    Throttle,
    Uart,
    pack_result,
    unpack_result,
)
from hwmodel.units import MHz, Time, ms, s, us

from .models import JOB, OTHER, SMALL, full

PHYSICS = Physics(
    errors=ErrorModel(limit=520e6),
    supply=SupplyNetwork(),
    thermal=FosterLadder(),
    crystal=Crystal(),
    jitter=1e-9,
    throttle=Throttle(celsius=27.0, interval=0.25),
    job_pause=1e-5,
)
MESSAGES = {
    "frequency": ([300, 1200], [525_000_000, 400_000_000]),
    "voltage": ([500, 1300], [1_150_000, 1_200_000]),
    "temperature": ([700], [40_000]),
    "job": ([400, 900, 1000, 1500], [1, -1, 0, 1]),
}


def chip(name: str = "chip", **options: Any) -> HashingChip:
    return HashingChip(name, jobs=[JOB, OTHER], **options)


def driven(seed: int = 1, **options: Any) -> hw.System:
    system = hw.System(chip(**({"physics": PHYSICS} | options)), seed=seed)
    for port, (times, values) in MESSAGES.items():
        system.drive(port, at=ms(times), values=values)
    return system


@cache
def unbroken() -> Any:
    """The run that others are held against."""
    return driven().run(until=s(2), watch=["result", "hit"], progress=False)


@given(st.integers(0, 2**32 - 1), st.integers(0, 255), st.integers(0, 255), st.integers(0, 65535))
def test_a_result_is_packed_into_a_message_and_back(nonce: int, excess: int, header: int, bits: int) -> None:
    result = ChipResult(nonce, excess, header, bits)
    value = pack_result(result)
    assert -(1 << 63) <= value < 1 << 63
    assert unpack_result(value) == result


def test_the_message_holds_the_bytes_of_the_frame() -> None:
    value = pack_result(ChipResult(0xEE307252, 2, 0x0B, 0x80CA)) & (1 << 64) - 1
    assert value.to_bytes(8, "big").hex() == "527230ee" + "02" + "0b" + "80ca"


def test_frames_come_at_the_end_of_the_serial_line() -> None:
    model = ChipModel(seed=0, oracle=RealHash(8), spec=SMALL, frequency="10 MHz", pll=False)
    model.set_job(Time(0), JOB)
    hits = model.run(ms(3))
    arrivals = Uart(115_200, 11, 4).send(hits["t"])
    component = chip(spec=SMALL, oracle=RealHash(8), frequency="10 MHz", pll=False, baud=115_200, fifo=4)
    trace = hw.System(component).run(until=ms(3), watch=["result"])["result"]
    before = arrivals.t < int(ms(3))
    assert trace.t.tolist() == arrivals.t[before].tolist()
    nonces = [unpack_result(int(value)).nonce for value in trace.value]
    assert nonces == hits["nonce"][arrivals.sent][before].tolist()
    assert arrivals.dropped > 0


def test_a_frame_rebuilds_the_header_that_was_hashed() -> None:
    component = chip(spec=SMALL, oracle=RealHash(8), frequency="1 MHz", pll=False, ticket_mask=4)
    trace = hw.System(component).run(until=ms(20), watch=["result"])["result"]
    results = [unpack_result(int(value)) for value in trace.value]
    assert len(results) > 10
    for result in results:
        assert result.header & 0xF8 == JOB.job_id
        assert JOB.header(result.nonce, result.version_bits << 13).hash_int() < 2 ** (256 - 10)


def test_the_component_does_what_the_model_does() -> None:
    system = hw.System(chip(), seed=3)
    result = system.run(until=s(2), watch=["hit"])["hit"]
    seed = system.engine("chip").model.seed  # type: ignore[attr-defined]
    assert result.t.tolist() == full(seed=seed).run(s(2))["t"].tolist()


def test_a_message_of_a_femtosecond_comes_before_the_hit() -> None:
    at = full(oracle=SampledHash(9)).run(s(1))["t"]
    stop = int(at[5])
    system = hw.System(chip(oracle=SampledHash(9)))
    system.drive("job", at=[Time(stop)], values=[-1])
    hits = system.run(until=s(1), watch=["hit"])["hit"]
    assert hits.t.tolist() == at[:5].tolist()


def test_messages_set_what_their_names_say() -> None:
    system = driven(physics=None)
    system.run(until=ms(450))
    model = system.engine("chip").model  # type: ignore[attr-defined]
    assert (model.frequency, model.job) == (MHz(525), OTHER)
    system.run(until=s(2))
    assert (model.frequency, model.voltage, model.job) == (MHz(400), 1.2, OTHER)


@settings(max_examples=12, deadline=None)
@given(st.integers(10**12, 4 * 10**14), st.sampled_from(["loop", "simpy"]))
def test_no_window_and_no_runner_changes_anything(window: int, runner: str) -> None:
    wanted = unbroken()
    system = driven()
    got = system.run(until=s(2), watch=["result", "hit"], window=Time(window), runner=runner, progress=False)
    assert got.fingerprint == wanted.fingerprint
    assert len(wanted["result"].t) > 50


@pytest.mark.parametrize("cut", [1, 250, 399, 400, 401, 1000, 1600])
def test_a_resumed_run_ends_like_one_that_was_not_stopped(cut: int, tmp_path: Path) -> None:
    whole = driven(chips=2).run(until=s(2), watch=["result"], progress=False)
    first = driven(chips=2)
    first.run(until=ms(cut), watch=["result"], progress=False)
    path = first.checkpoint(tmp_path / "state")
    rest = driven(chips=2).resume(path).run(until=s(2), watch=["result"], progress=False)
    assert rest.fingerprint == whole.fingerprint


def to_a_host(cut: int | None = None, path: Path | None = None, **run: Any) -> hw.Result:
    """An ideal chip on a slow line to a host that answers every third result with another frequency."""

    def host(ctx: hw.kernel.ProcessContext) -> Any:
        for n in range(1000):
            message = yield ctx.receive("seen")
            ctx.record("nonce", unpack_result(message.value).nonce)
            if n % 3 == 2:
                ctx.send("frequency", (8 + n % 5) * 10**6)

    def make() -> hw.System:
        options = {"spec": SMALL, "oracle": RealHash(6), "frequency": "10 MHz", "pll": False, "count": False}
        component = chip(baud=9_000_000, fifo=4, **options)
        process = hw.Process("host", host, inputs=["seen"], outputs=["frequency"], signals={"nonce": "event"})
        system = hw.System(component, process)
        system.connect("chip.result", "host.seen", latency=us(1))
        system.connect("host.frequency", "chip.frequency", latency=us(2))
        return system

    system, watch = make(), ["chip.result", "host.nonce"]
    if cut is not None:
        assert path is not None
        system.run(until=Time(cut), watch=watch, progress=False)
        system = make().resume(system.checkpoint(path))
    return system.run(until=ms(2), watch=watch, progress=False, **run)


@settings(max_examples=8, deadline=None)
@given(st.integers(10**8, 10**9))
def test_no_window_changes_what_an_ideal_chip_sends(window: int) -> None:
    wanted = to_a_host()
    assert to_a_host(window=Time(window)).fingerprint == wanted.fingerprint
    assert len(wanted["host.nonce"].t) > 50
    seen = wanted["chip.result"].t + int(us(1))
    assert wanted["host.nonce"].t.tolist() == seen[seen < int(ms(2))].tolist()


@pytest.mark.parametrize("cut", [1, 7, 100_003, 999_999, 1_234_567])
def test_frames_on_their_way_are_sent_once_though_the_run_is_resumed(cut: int, tmp_path: Path) -> None:
    assert to_a_host(cut * 10**6, tmp_path / "state").fingerprint == to_a_host().fingerprint


def test_runs_cut_in_two_are_like_one() -> None:
    whole, cut = driven(), driven()
    wanted = whole.run(until=s(2), watch=["result"], progress=False)
    cut.run(until=ms(731), watch=["result"], progress=False)
    assert cut.run(until=s(2), progress=False).fingerprint == wanted.fingerprint


def test_another_chip_beside_it_changes_nothing() -> None:
    alone = hw.System(chip("a"), seed=5).run(until=s(1), watch=["a.result"], progress=False)
    both = hw.System(chip("b"), chip("a"), seed=5).run(
        until=s(1), watch=["a.result", "b.result"], progress=False
    )
    np.testing.assert_array_equal(alone["a.result"].t, both["a.result"].t)
    assert both["a.result"].t.tolist() != both["b.result"].t.tolist()


def test_another_seed_of_the_system_has_other_hits() -> None:
    runs = [
        hw.System(chip(), seed=seed).run(until=s(1), watch=["hit"])["hit"].t.tolist() for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1] != runs[2]


def test_a_result_can_stop_the_chip_through_links() -> None:
    class Stopper(hw.kernel.Component):
        def __init__(self) -> None:
            super().__init__(
                "host",
                [hw.kernel.Port("seen", "in", "event", 64), hw.kernel.Port("stop", "out", "event", 64)],
            )

        def build(self, context: Any) -> Any:
            return StopperEngine(context)

    class StopperEngine:
        def __init__(self, context: Any) -> None:
            self.context, self.seen = context, 0

        def advance(self, t1: int) -> None:
            for t, *_ in self.context.inbox.take(t1).tolist():
                self.seen += 1
                if self.seen == 3:
                    self.context.outbox.send(t, 0, -1)

        def next_event(self) -> int:
            return hw.units.NEVER

        def state(self) -> Any:
            return {"seen": np.array(self.seen)}

        snapshot = state

    component = chip()
    system = hw.System(component, Stopper())
    system.connect("chip.result", "host.seen", latency=us(10))
    system.connect("host.stop", "chip.job", latency=us(10))
    results = system.run(until=s(1), watch=["result"])["result"]
    assert 3 <= len(results.t) <= 4


def test_the_manifest_tells_what_the_chip_was_made_of() -> None:
    manifest = driven().run(until=ms(10)).manifest
    text = str(manifest)
    for part in ("BM1366", "threshold", "SampledHash", JOB.key.hex()):
        assert part in text


def test_the_statistics_count_results_wrong_ones_and_drops() -> None:
    system = driven()
    stats = system.run(until=s(2), watch=["hit"]).stats
    model = system.engine("chip").model  # type: ignore[attr-defined]
    assert stats["chip.results"] > 50
    assert stats["chip.lost_to_errors"] == model.lost
    assert 0 < stats["chip.wrong"] <= model.registers()[0x4C]
    assert stats["chip.dropped_by_line"] == 0


@pytest.mark.parametrize(
    ("port", "value"), [("job", 2), ("job", -2), ("frequency", 0), ("voltage", -5), ("temperature", -400_000)]
)
def test_a_message_that_makes_no_sense_is_refused(port: str, value: int) -> None:
    system = hw.System(chip())
    system.drive(port, at=ms([1]), values=[value])
    with pytest.raises(SpecError, match=str(value) if port != "temperature" else "temperature"):
        system.run(until=ms(2))


def test_a_chip_without_a_job_or_with_a_wrong_parameter_is_refused_when_it_is_made() -> None:
    for make in (
        lambda: HashingChip("chip", jobs=[]),
        lambda: chip(baud=0),
        lambda: chip(ticket_mask=0),
        lambda: chip(chips=0),
    ):
        with pytest.raises(SpecError):
            make()

"""A run that is saved, loaded in a new process and continued equals the run at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel.errors import CheckpointError, OutputError, SpecError, WiringError
from hwmodel.kernel import ProcessContext, jsonable
from hwmodel.units import fs, ns, ps
from tests.kernel.models import Plan, Relay, plans

ROOT = Path(__file__).resolve().parents[3]


def _gossip(ctx: ProcessContext):
    while True:
        message = yield ctx.receive("i")
        yield ctx.timeout(ps(int(ctx.rng.integers(1, 9))))
        ctx.send("o", message.value + 1, after=ps(2))
        ctx.record("seen", message.value)


def build(seed: int = 5) -> hw.System:
    """A process, a clock domain and a relay in a ring."""
    process = hw.Process("p", _gossip, inputs=["i"], outputs=["o"], signals={"seen": "event"})
    step = hw.Block(
        "b", lambda i, s: ({"n": (s["n"] + 1) % 9}, {"q": s["n"]}), outputs={"q": 4}, state={"n": 0}
    )
    domain = hw.ClockDomain("d", hw.Clock(period=ps(7)), [step])
    system = hw.System(process, domain, Relay("r", local=900), seed=seed)
    system.connect("p.o", "r.i0", latency=ps(3))
    system.connect("r.o0", "p.i", latency=ps(4))
    system.drive("d.b_d", at=[]) if "b_d" in domain.ports else None
    return system


def start(system: hw.System) -> hw.System:
    return system


WATCH = ["p.i", "p.seen", "d.b_q", "r.i0"]


def _loop(seed: int = 5) -> hw.System:
    def kick(ctx: ProcessContext):
        ctx.send("o", 1)
        yield ctx.timeout(ps(1))

    system = build(seed)
    system.add(hw.Process("kick", kick, outputs=["o"]))
    system.connect("kick.o", "r.i0", latency=ps(1))
    return system


def test_resumed_in_a_new_process_it_is_the_run_at_once(tmp_path) -> None:
    whole = _loop().run(until=ns(2), watch=WATCH)
    assert len(whole["p.seen"]) > 50
    first = _loop()
    first.run(until=ns(1), watch=WATCH)
    first.checkpoint(tmp_path / "half.ckpt")
    code = (
        "from tests.unit.kernel.test_checkpoint import _loop, WATCH; from hwmodel.units import ns;"
        f"print(_loop().resume({str(tmp_path / 'half.ckpt')!r}).run(until=ns(2)).fingerprint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == whole.fingerprint


@settings(max_examples=25, deadline=None)
@given(plans(), st.data())
def test_any_system_resumes_to_the_same_fingerprint(
    tmp_path_factory, plan: Plan, data: st.DataObject
) -> None:
    middle, until = sorted(data.draw(st.lists(st.integers(0, 120), min_size=2, max_size=2)))
    whole = plan.build().run(until=fs(until), watch=["r0.i0"])
    file = tmp_path_factory.mktemp("ckpt") / "c"
    first = plan.build()
    first.run(until=fs(middle), watch=["r0.i0"])
    first.checkpoint(file)
    assert plan.build().resume(file).run(until=fs(until)).fingerprint == whole.fingerprint


def test_the_original_goes_on_after_a_checkpoint(tmp_path) -> None:
    system = _loop()
    system.run(until=ns(1), watch=WATCH)
    system.checkpoint(tmp_path / "c")
    assert system.run(until=ns(2)).fingerprint == _loop().run(until=ns(2), watch=WATCH).fingerprint


def test_another_system_is_refused(tmp_path) -> None:
    system = _loop()
    system.run(until=ns(1))
    system.checkpoint(tmp_path / "c")
    with pytest.raises(CheckpointError, match="written by another system"):
        _loop(seed=6).resume(tmp_path / "c")
    with pytest.raises(CheckpointError, match="written by another system"):
        build().resume(tmp_path / "c")


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign"])
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path, damage: str) -> None:
    file = tmp_path / "half.ckpt"
    system = _loop()
    system.run(until=ns(1))
    whole = system.checkpoint(file).read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(whole[:200])
    else:
        with file.open("wb") as out:
            np.savez(out, meta=np.array("{}"))
    with pytest.raises(CheckpointError, match=r"half\.ckpt"):
        _loop().resume(file)


def test_a_system_that_has_not_run_cannot_be_saved_nor_one_that_has_run_resumed(tmp_path) -> None:
    with pytest.raises(CheckpointError, match="has not run yet"):
        _loop().checkpoint(tmp_path / "c")
    system = _loop()
    system.run(until=ns(1))
    system.checkpoint(tmp_path / "c")
    with pytest.raises(WiringError, match="has begun to run"):
        system.resume(tmp_path / "c")


def test_a_process_without_replay_cannot_be_saved(tmp_path) -> None:
    system = hw.System(
        hw.Process("p", _gossip, inputs=["i"], outputs=["o"], replay=False, signals={"seen": "event"})
    )
    system.drive("p.i", at=[])
    system.run(until=ns(1))
    with pytest.raises(CheckpointError, match="process 'p' was made with replay=False"):
        system.checkpoint(tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_a_resumed_run_must_watch_the_same(tmp_path) -> None:
    system = _loop()
    system.run(until=ns(1), watch=["p.i"])
    system.checkpoint(tmp_path / "c")
    with pytest.raises(SpecError, match="the first run watched"):
        _loop().resume(tmp_path / "c").run(until=ns(2), watch=["r.i0"])
    assert "p.i" in _loop().resume(tmp_path / "c").run(until=ns(2)).traces


def test_a_path_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    system = hw.System()
    system.add(hw.ClockDomain("d", hw.Clock("1 GHz"), []))
    system.run(until=ns(1))
    with pytest.raises(OutputError, match="no_such_folder"):
        system.checkpoint(tmp_path / "no_such_folder" / "a.ckpt")


def test_a_plain_array_file_is_no_checkpoint(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        hw.System().resume(tmp_path / "a.npy")


def test_the_identity_of_a_spec_holds_no_address_and_no_order_of_a_set() -> None:
    assert jsonable({"f": object(), "s": frozenset("gfedcba")}) == {
        "f": "<object object>",
        "s": list("abcdefg"),
    }

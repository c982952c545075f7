"""Both simulators, every window and every way to resume give one result."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel import hdl
from hwmodel.errors import CheckpointError
from hwmodel.hdl import _layout, _verilator
from hwmodel.units import Time, ns, ps

from .conftest import CLOCK, DESIGNS, LIB, need

CASES: dict[str, tuple[Path, dict[str, Any]]] = {
    "accumulator": (DESIGNS / "accumulator.v", {"reset": None}),
    "wide": (DESIGNS / "wide.v", {}),
    "lfsr16": (LIB / "lfsr16.v", {}),
    "stream_register": (LIB / "stream_register.v", {}),
    "sync_fifo": (LIB / "sync_fifo.v", {"parameters": {"WIDTH": 12, "LOG_DEPTH": 3}}),
}


def busy_system(case: str, simulator: str) -> hw.System:
    """Every input of the design under random traffic, between the edges and on them."""
    source, options = CASES[case]
    rtl = hdl.Rtl("dut", source, CLOCK, top=case, simulator=simulator, **options)  # type: ignore[arg-type]
    return drive_all(rtl)


def drive_all(rtl: hdl.Rtl, cycles: int = 200) -> hw.System:
    system = hw.System(rtl)
    for number, port in enumerate(p for p in rtl.ports.values() if p.direction == "in"):
        rng = np.random.default_rng(number)
        at = np.unique(rng.integers(0, 2 * cycles, cycles)) * 500  # ps
        low, high = (-(1 << 63), 1 << 63) if port.width == 64 else (0, 1 << port.width)
        system.drive(port.name, at=ps(at), values=rng.integers(low, high, len(at), np.int64).tolist())
    return system


def watched(system: hw.System) -> list[str]:
    return [port.path for component in system.components for port in component.ports.values()]


@pytest.mark.parametrize("case", sorted(CASES))
def test_simulators_windows_and_runners_give_one_fingerprint(case: str) -> None:
    need("verilator")
    need("pyrtl")
    found = set()
    for simulator in ("verilator", "pyrtl"):
        for options in ({}, {"window": ns(1)}, {"window": ps(7300)}, {"runner": "simpy"}):
            system = busy_system(case, simulator)
            result = system.run(until=ns(200), watch=watched(system), **options)
            assert max(len(trace) for trace in result.traces.values()) > 40
            found.add(result.fingerprint)
    assert len(found) == 1


@pytest.mark.parametrize("case", ["accumulator", "sync_fifo"])
def test_a_run_resumed_in_a_new_process_goes_on_as_if_never_stopped(
    case: str, simulator: str, tmp_path: Path
) -> None:
    whole = busy_system(case, simulator)
    names = watched(whole)
    expected = whole.run(until=ns(200), watch=names).fingerprint
    first = busy_system(case, simulator)
    first.run(until=ps(90_300), watch=names)
    file = first.checkpoint(tmp_path / "half.ckpt")
    code = (
        "from tests.unit.hdl.test_engines import busy_system\n"
        "from hwmodel.units import ns\n"
        f"print(busy_system({case!r}, {simulator!r}).resume({str(file)!r}).run(until=ns(200)).fingerprint)\n"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected


def test_a_checkpoint_of_the_other_simulator_is_refused(tmp_path: Path) -> None:
    need("verilator")
    need("pyrtl")
    system = busy_system("lfsr16", "pyrtl")
    system.run(until=ns(20))
    file = system.checkpoint(tmp_path / "half.ckpt")
    with pytest.raises(CheckpointError, match=r"written by pyrtl .* and this is verilator"):
        busy_system("lfsr16", "verilator").resume(file).run(until=ns(40))


# ---------------------------------------------------------------------------------------------- PyRTL blocks


def random_block(seed: int, size: int) -> Any:
    """A block of random operations on two inputs, three registers, a memory and a ROM."""
    import pyrtl

    rng = np.random.default_rng(seed)
    block = pyrtl.Block()
    with pyrtl.set_working_block(block):
        wires = [pyrtl.Input(7, "a"), pyrtl.Input(70, "b")]
        registers = [
            pyrtl.Register(w, f"r{k}", reset_value=int(rng.integers(0, 8))) for k, w in enumerate((5, 13, 66))
        ]
        memory = pyrtl.MemBlock(9, 3, "store", max_read_ports=None, max_write_ports=None, asynchronous=True)
        rom = pyrtl.RomBlock(6, 3, [int(x) for x in rng.integers(0, 64, 8)], asynchronous=True)
        wires += registers
        wires += [memory[wires[0][:3]], rom[registers[0][:3]], pyrtl.Const(5, 9)]
        for _ in range(size):
            x, y = (wires[int(k)] for k in rng.integers(0, len(wires), 2))
            made = [
                lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x & y, lambda x, y: x | y,
                lambda x, y: x ^ y, lambda x, y: ~x, lambda x, y: x.nand(y), lambda x, y: x < y,
                lambda x, y: x == y, lambda x, y: x > y, lambda x, y: pyrtl.concat(x, y)[:90],
                lambda x, y: (x[:20] * y[:20]), lambda x, y: pyrtl.select(x[0], x, y),
                lambda x, y: x[:: -1], lambda x, y: x[1:3] if len(x) > 3 else x,
            ][int(rng.integers(0, 15))](x, y)  # fmt: skip
            wires.append(made if len(made) <= 90 else made[:90])
        pick = [wires[-1 - k] for k in range(4)]
        memory[pick[0][:1].zero_extended(3)] <<= pyrtl.MemBlock.EnabledWrite(
            pick[1].zero_extended(90)[:9], enable=pick[2][0]
        )
        for register, wire in zip(registers, pick, strict=False):
            register.next <<= wire.zero_extended(90)[: len(register)]
        for k, wire in enumerate([*registers, *pick]):
            out = pyrtl.Output(len(wire), f"y{k}")
            out <<= wire
    return block


def outputs_of(block: Any, simulator: str) -> hw.Result:
    system = drive_all(hdl.Rtl("dut", block, CLOCK, simulator=simulator), 40)  # type: ignore[arg-type]
    return system.run(until=ns(40), watch=watched(system))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(4, 30))
def test_registers_follow_pyrtls_own_simulation(seed: int, size: int) -> None:
    need("block")
    import pyrtl

    block = random_block(seed, size)
    result = outputs_of(block, "pyrtl")
    widths = {w.name: len(w) for w in block.wirevector_subset((pyrtl.Input, pyrtl.Output))}

    def pin(name: str, t: Time) -> int:
        parts = range(-(-widths[name] // 64))
        words = [f"dut.{name}[{k}]" if widths[name] > 64 else f"dut.{name}" for k in parts]
        return sum((result[word].at(t) & ((1 << 64) - 1)) << (64 * k) for k, word in enumerate(words))

    with pyrtl.set_working_block(block):
        own = pyrtl.FastSimulation(block=block, tracer=None)
        for n in range(40):
            own.step({name: pin(name, CLOCK.edge(n)) for name in ("a", "b")})
            for k in range(3) if n else ():  # y0 to y2 show the registers, and PyRTL those before the edge
                assert pin(f"y{k}", CLOCK.edge(n - 1)) == own.inspect(f"r{k}")


@pytest.mark.slow
@settings(max_examples=4, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_random_blocks_run_alike_under_both_simulators(seed: int) -> None:
    need("verilator")
    block = random_block(seed, 60)
    assert outputs_of(block, "pyrtl").fingerprint == outputs_of(block, "verilator").fingerprint


def test_a_blocks_digest_does_not_depend_on_names_of_wires() -> None:
    need("block")
    spec = hdl.Rtl("dut", random_block(3, 20), CLOCK, simulator="pyrtl").spec
    again = hdl.Rtl("dut", random_block(3, 20), CLOCK, simulator="pyrtl").spec
    other = hdl.Rtl("dut", random_block(4, 20), CLOCK, simulator="pyrtl").spec
    assert spec == again != other


def test_a_block_that_is_made_again_gives_the_same_verilog() -> None:
    need("block")
    from hwmodel.hdl._convert import export_block

    assert export_block(random_block(3, 20)).text == export_block(random_block(3, 20)).text


# ---------------------------------------------------------------------------------------------- layout


def test_the_harness_has_the_layout_of_the_control_array() -> None:
    text = (Path(hdl.__file__).parent / "_harness.cpp").read_text(encoding="utf-8")
    names = re.findall(r"\b[A-Z][A-Z_0-9]+\b", re.search(r"enum : int \{(.*?)TABLES", text, re.DOTALL)[1])  # type: ignore[index]
    assert names == [name for name, _ in sorted(codes().items(), key=lambda item: item[1])]
    assert f"TABLES = {_layout.TABLES}" in text
    states = re.search(r"enum : int64_t \{ (.*?) \}", text)
    assert states is not None
    assert [getattr(_layout, name) for name in states[1].split(", ")] == list(range(5))


@pytest.mark.parametrize(
    ("design", "rises"),
    [
        ("accumulator", True),
        ("gate", False),
        ("falling", False),
        ("divided", False),
        ("clock_as_data", False),
    ],
)
def test_the_fall_of_the_clock_is_left_out_only_where_nothing_looks_at_it(design: str, rises: bool) -> None:
    need("verilator")
    options = {"clock_pin": None} if design == "gate" else {}
    rtl = hdl.Rtl("d", DESIGNS / f"{design}.v", CLOCK, simulator="verilator", **options)
    sources, shell = rtl._verilog()
    clocked, low = rtl.spec.clock_pin is not None, rtl.spec.reset.active_low if rtl.spec.reset else None
    library, _ = _verilator.build_library(sources, shell, rtl._inputs, rtl._outputs, clocked, low, "rtl 'd'")
    files = sorted((library.parent / "c").glob("*.[ch]*"))
    assert _verilator.rises_only("".join(file.read_text(encoding="utf-8") for file in files)) is rises


def test_the_hash_of_inputs_follows_a_change_of_the_top_bit_of_two() -> None:
    top = -1 << 63
    assert len({_layout.inputs_hash(v) for v in ([0, 0], [top, 0], [0, top], [top, top])}) == 4


def codes() -> dict[str, int]:
    source = Path(_layout.__file__).read_text(encoding="utf-8")
    block = source[source.index("(\n    T1") : source.index(") = range(21)")]
    return {name: getattr(_layout, name) for name in re.findall(r"^    ([A-Z_0-9]+),", block, re.MULTILINE)}

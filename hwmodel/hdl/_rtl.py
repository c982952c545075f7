"""RTL as a component: a Verilog module, or a PyRTL block, on one clock."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hwmodel.errors import SpecError, ToolError, unknown
from hwmodel.hdl._design import (
    CLOCK_NAMES,
    RESET_NAMES,
    WIDEST,
    Parameter,
    Reset,
    Sources,
    parameter_text,
    read_interface,
    shell_text,
    words_of,
)
from hwmodel.hdl._engine import RtlEngine, Simulator
from hwmodel.hdl._parse import Interface
from hwmodel.hdl._tools import HOW, find_compiler, find_verilator, find_yosys, has_package, need
from hwmodel.kernel import BuildContext, Clock, Component, Engine, Port

if TYPE_CHECKING:
    import pyrtl

SIMULATORS = ("auto", "verilator", "pyrtl")


@dataclass(frozen=True)
class RtlSpec:
    """What was built, for the manifest and for checkpoints.

    Attributes:
        top: name of the module.
        files: names of the Verilog files; empty for a PyRTL block.
        digest: hash of the sources.
        parameters: overridden parameters, as Verilog literals.
        clock: the clock of the component.
        clock_pin: its pin; None for a module without registers.
        reset: how it is reset before time 0, or None.
    """

    top: str
    files: tuple[str, ...]
    digest: str
    parameters: tuple[tuple[str, str], ...]
    clock: Clock
    clock_pin: str | None
    reset: Reset | None


class Rtl(Component):
    """A Verilog module or a PyRTL block as a component.

    At each clock edge the inputs are sampled, messages of the same femtosecond included; the design
    makes one cycle; and outputs that changed are sent at the time of the edge and held. What an
    output shows after an edge follows from the registers after it and from the inputs as sampled.
    All outputs are 0 until the first edge.

    Pins become "bits" ports of the same name and width. A pin wider than 64 bits becomes several
    ports: `x[0]` is bits 63 to 0, `x[1]` the next 64. Values are unsigned words; an input also takes
    the negative numbers that its width holds in two's complement.

    Parameters:
        name: path of the component.
        source: a Verilog file, several, or a `pyrtl.Block`.
        clock: its clock, on whose edges the registers change.
        top: name of the module; may be left out where only one can be meant.
        simulator: "verilator", "pyrtl", or "auto": Verilator where it and a C++ compiler are
            there, else PyRTL. Both give the same result.
        parameters: values of the module's parameters: numbers, or Verilog literals as text.
        reset: name of the reset pin, or a `Reset`; "auto" finds it by its name; None leaves a
            reset pin as an ordinary input. The reset is over before time 0.
        clock_pin: name of the clock pin; "auto" finds it; None for a module without a clock.
        include: folders in which the directive "include" finds files, beside those of the sources.
            A file that `$readmemh` names lies beside the source.
        defines: macros, name to value.

    Raises:
        ToolError: the source does not compile (with file and line), or no simulator is there.
        UnknownNameError: top, clock pin or reset pin are not there.
        SpecError: no clock pin or two of them, a bidirectional pin, a name that cannot be a port.

    Example:
        >>> import pyrtl
        >>> import hwmodel as hw
        >>> from hwmodel import hdl
        >>> from hwmodel.units import GHz, ns
        >>> block = pyrtl.Block()
        >>> with pyrtl.set_working_block(block):
        ...     count, out = pyrtl.Register(4, "count"), pyrtl.Output(4, "out")
        ...     count.next <<= count + 1
        ...     out <<= count
        >>> rtl = hdl.Rtl("counter", block, clock=hw.Clock(GHz(1)), simulator="pyrtl")
        >>> trace = hw.System(rtl).run(until=ns(4), watch=["out"])["out"]
        >>> trace.t.tolist(), trace.value.tolist()
        ([0, 1000000, 2000000, 3000000], [1, 2, 3, 4])
    """

    def __init__(
        self,
        name: str,
        source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | pyrtl.Block,
        clock: Clock,
        *,
        top: str | None = None,
        simulator: Literal["auto", "verilator", "pyrtl"] = "auto",
        parameters: Mapping[str, Parameter] | None = None,
        reset: Reset | str | None = "auto",
        clock_pin: str | None = "auto",
        include: Sequence[str | os.PathLike[str]] = (),
        defines: Mapping[str, Parameter] | None = None,
    ) -> None:
        where = f"rtl '{name}'"
        if not isinstance(clock, Clock):
            raise SpecError(f"{where}: clock={clock!r} is no Clock; write clock=Clock(MHz(500))")
        self._where = where
        self._sources: Sources | None = None
        self._block: Any = None
        if _is_block(source):
            if top or parameters or include or defines:
                raise SpecError(
                    f"{where}: top, parameters, include and defines go with Verilog, not with a PyRTL block"
                )
            self._begin_block(source, clock, clock_pin, reset)
        else:
            assert not hasattr(source, "logic")
            self._sources = Sources.read(source, include, defines, where)
            self._begin_verilog(self._sources, clock, top, parameters or {}, clock_pin, reset)
        self._simulator = self._choose(simulator)
        super().__init__(name, self._ports_of_words(), self._rtl_spec)

    # ------------------------------------------------------------------------------------------ what it is

    @property
    def simulator(self) -> str:
        """The simulator that runs it, "verilator" or "pyrtl"."""
        return self._simulator

    def check(self) -> list[str]:
        """Warn of registers whose clock is made inside the design."""
        inner = sorted(self._interface.derived)
        if not inner:
            return []
        names = ", ".join(inner[:5])
        return [
            f"{self._where}: inner signals clock registers: {names}; they fall within the component's edges"
        ]

    def stats(self, engine: Any, elapsed: int) -> dict[str, int | float | str]:
        """Edges that fell, edges at which something was computed, and the simulator."""
        return {
            "cycles": self._rtl_spec.clock.index(elapsed),
            "cycles_computed": engine.computed,
            "simulator": self._simulator,
        }

    def build(self, context: BuildContext) -> Engine:
        """Compile the design, or take it from the cache, and make the engine that runs it.

        Raises:
            ToolError: a tool is missing, or refuses the source.
        """
        simulator, key = self._make_simulator()
        return RtlEngine(self._rtl_spec.clock, self._inputs, self._outputs, simulator, key, context)

    # ------------------------------------------------------------------------------------------ construction

    def _begin_block(
        self, block: Any, clock: Clock, clock_pin: str | None, reset: Reset | str | None
    ) -> None:
        from hwmodel.hdl import _convert

        if isinstance(reset, Reset) or reset not in ("auto", None):
            raise SpecError(
                f"{self._where}: a PyRTL block has no reset pin; its registers begin at their reset values"
            )
        if clock_pin != "auto":
            raise SpecError(f"{self._where}: a PyRTL block has no clock pin; leave out clock_pin")
        self._block = block
        self._interface = _convert.block_interface(block, self._where)
        self._rtl_spec = RtlSpec("toplevel", (), _convert.block_digest(block), (), clock, "clk", None)
        self._cut_words()

    def _begin_verilog(
        self,
        sources: Sources,
        clock: Clock,
        top: str | None,
        parameters: Mapping[str, Parameter],
        clock_pin: str | None,
        reset: Reset | str | None,
    ) -> None:
        where = self._where
        top = sources.find_top(top, where)
        values = {name: parameter_text(name, value, where) for name, value in sorted(parameters.items())}
        self._interface = read_interface(sources, top, values, where)
        found = find_clock(self._interface, clock_pin, where)
        self._rtl_spec = RtlSpec(
            top,
            tuple(file.name for file in sources.files),
            sources.digest,
            tuple(values.items()),
            clock,
            found,
            find_reset(self._interface, reset, found, where),
        )
        self._cut_words()

    def _cut_words(self) -> None:
        spec = self._rtl_spec
        taken = {spec.clock_pin, spec.reset.pin if spec.reset else None}
        pins = [pin for pin in self._interface.pins if pin.name not in taken]
        for pin in pins:
            if pin.width > WIDEST:
                raise SpecError(
                    f"{self._where}: pin '{pin.name}' is {pin.width} bits wide; at most {WIDEST} can become ports of 64"
                )
        self._inputs = words_of((p.name, p.width) for p in pins if p.direction == "in")
        self._outputs = words_of((p.name, p.width) for p in pins if p.direction == "out")

    def _ports_of_words(self) -> list[Port]:
        try:
            ports = [Port(word.name, "in", "bits", word.width) for word in self._inputs]
            return ports + [Port(word.name, "out", "bits", word.width) for word in self._outputs]
        except SpecError as error:
            raise SpecError(
                f"{self._where}: {error}; wrap the module in one whose pins have such names"
            ) from None

    # ------------------------------------------------------------------------------------------ simulators

    def _choose(self, simulator: str) -> str:
        if simulator not in SIMULATORS:
            raise unknown(f"simulator of {self._where}", simulator, SIMULATORS)
        lacks_verilator = [
            n for n, f in (("verilator", find_verilator), ("g++", find_compiler)) if f() is None
        ]
        lacks_pyrtl = [] if has_package("pyrtl") else ["pyrtl"]
        if self._block is None and find_yosys() is None:
            lacks_pyrtl.append("yosys")
        lacks = {"verilator": lacks_verilator, "pyrtl": lacks_pyrtl}
        chosen = simulator
        if simulator == "auto":
            chosen = "pyrtl" if lacks_verilator and not lacks_pyrtl else "verilator"
        if not lacks[chosen]:
            return chosen
        names = ("verilator", "pyrtl") if simulator == "auto" else (chosen,)
        text = "; or ".join(
            f"simulator '{n}' lacks {' and '.join(lacks[n])}: {'; '.join(HOW[x] for x in lacks[n])}"
            for n in names
        )
        raise ToolError(f"{self._where}: nothing here can run it: {text}")

    def _make_simulator(self) -> tuple[Simulator, str]:
        spec = self._rtl_spec
        cycles = spec.reset.cycles if spec.reset else 0
        if self._simulator == "verilator":
            from hwmodel.hdl._verilator import VerilatorSimulator, build_library

            sources, shell = self._verilog()
            library, key = build_library(
                sources,
                shell,
                self._inputs,
                self._outputs,
                spec.clock_pin is not None,
                spec.reset.active_low if spec.reset else None,
                self._where,
            )
            folders = list(dict.fromkeys(file.parent for file in sources.files))
            return VerilatorSimulator(library, cycles, self._where, folders), key
        from hwmodel.hdl import _convert, _pyrtl

        if self._block is not None:
            netlist = _pyrtl.compile_block(self._block, self._inputs, self._outputs, plain=False)
        else:
            sources, shell = self._verilog()
            tool = need("yosys", f"{self._where}: simulator 'pyrtl' of Verilog")
            block = _convert.import_verilog(tool, sources, shell, spec.clock_pin is not None, self._where)
            netlist = _pyrtl.compile_block(block, self._inputs, self._outputs, plain=True)
        level = None if spec.reset is None else int(not spec.reset.active_low)
        return _pyrtl.PyrtlSimulator(netlist, cycles, level), spec.digest

    def _verilog(self) -> tuple[Sources, str]:
        spec = self._rtl_spec
        sources = self._sources
        if sources is None:
            from hwmodel.hdl import _convert

            sources = _convert.export_block(self._block)
        pins = [(pin.name, pin.direction, pin.width) for pin in self._interface.pins]
        reset = spec.reset.pin if spec.reset else None
        return sources, shell_text(spec.top, dict(spec.parameters), pins, spec.clock_pin, reset)


def _is_block(source: object) -> bool:
    return hasattr(source, "logic") and hasattr(source, "wirevector_set")


def find_clock(interface: Interface, wanted: str | None, where: str) -> str | None:
    """The clock pin: the one named, the one that triggers registers, or one with a usual name."""
    inputs = [pin.name for pin in interface.pins if pin.direction == "in" and pin.width == 1]
    clocks = sorted(interface.clocks)
    if wanted is None:
        if clocks:
            raise SpecError(
                f"{where}: clock_pin=None, but '{clocks[0]}' clocks registers; name it as clock_pin"
            )
        return None
    if wanted != "auto":
        if wanted not in inputs:
            raise unknown(f"clock pin of {where}", wanted, inputs)
        found = wanted
    elif clocks:
        found = next((c for c in clocks if c in CLOCK_NAMES), clocks[0])
    else:
        named = [name for name in inputs if name in CLOCK_NAMES]
        if not named:
            raise SpecError(
                f"{where}: module '{interface.top}' has no pin that looks like a clock (inputs of one bit: "
                f"{', '.join(inputs) or 'none'}); name it with clock_pin=, or write clock_pin=None where there is none"
            )
        found = named[0]
    others = [c for c in clocks if c != found]
    if others:
        raise SpecError(
            f"{where}: module '{interface.top}' has two clocks, '{found}' and '{others[0]}', and an Rtl has one; make "
            "one Rtl of each clock domain, joined by links"
        )
    return found


def find_reset(
    interface: Interface, wanted: Reset | str | None, clock: str | None, where: str
) -> Reset | None:
    """The reset: the one given, or a pin with a usual name."""
    inputs = [p.name for p in interface.pins if p.direction == "in" and p.width == 1 and p.name != clock]
    if wanted is None:
        return None
    if wanted == "auto":
        named = [name for name in inputs if name in RESET_NAMES]
        named.sort(key=lambda name: name not in interface.asynchronous)
        return Reset(named[0]) if named else None
    reset = wanted if isinstance(wanted, Reset) else Reset(wanted)
    if reset.pin not in inputs:
        raise unknown(f"reset pin of {where}", reset.pin, inputs)
    return reset

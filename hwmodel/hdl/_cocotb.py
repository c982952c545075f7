"""Runs cocotb test benches under Verilator or Icarus and reads their results."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hwmodel.errors import MismatchError, SpecError, ToolError, unknown
from hwmodel.hdl._design import Parameter, Sources, parameter_text
from hwmodel.hdl._tools import Tool, build_once, first_error, has_package, missing, need

BENCH_SIMULATORS = ("verilator", "icarus")
CHILD = Path(__file__).with_name("_bench.py")

REUSE = """#!/bin/sh
# Stands before the compiler in Verilator's makefile: gives the object file from here, if there is one.
for word in "$@"; do
    [ "$before" = -o ] && out=$word
    before=$word
done
if [ -n "$out" ] && [ -f "$(dirname "$0")/$out" ]; then
    exec cp "$(dirname "$0")/$out" "$out"
fi
exec "$@"
"""


@dataclass(frozen=True)
class BenchCase:
    """One test of a bench.

    Attributes:
        name: its function.
        passed: whether it passed; a skipped one did.
        message: the first line of what went wrong.
        seconds: wall time.
    """

    name: str
    passed: bool
    message: str
    seconds: float


@dataclass(frozen=True)
class BenchResult:
    """What a bench gave: its tests, the simulator, and the log as text."""

    cases: tuple[BenchCase, ...]
    simulator: str
    log: str

    @property
    def failures(self) -> tuple[BenchCase, ...]:
        """Tests that failed."""
        return tuple(case for case in self.cases if not case.passed)

    def require(self) -> BenchResult:
        """Return the result where every test passed.

        Raises:
            MismatchError: names each test that failed, and why.
        """
        if self.failures:
            lines = "\n".join(f"  {case.name}: {case.message}" for case in self.failures)
            raise MismatchError(
                f"{len(self.failures)} of {len(self.cases)} tests failed under {self.simulator}:\n{lines}"
            )
        return self


def run_cocotb(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    top: str,
    test_module: str | os.PathLike[str],
    simulator: str = "verilator",
    build_dir: str | os.PathLike[str] | None = None,
    *,
    parameters: Mapping[str, Parameter] | None = None,
    include: Sequence[str | os.PathLike[str]] = (),
    defines: Mapping[str, Parameter] | None = None,
    testcase: str | None = None,
    seed: int = 1,
    env: Mapping[str, str] | None = None,
    waves: bool = False,
) -> BenchResult:
    """Run a cocotb test bench, quietly.

    The build is cached: it is made anew only where sources, parameters or tools have changed.

    Parameters:
        sources: Verilog files.
        top: name of the module under test.
        test_module: a Python file of cocotb tests, or the name of a module that can be imported.
        simulator: "verilator" or "icarus".
        build_dir: folder for results, log and waveforms; by default they are read and removed.
        parameters, include, defines: as for `Rtl`.
        testcase: run only the test of this name.
        seed: of Python's random numbers in the bench.
        env: further environment variables for the bench.
        waves: write waveforms into `build_dir`.

    Raises:
        ToolError: a tool is missing or refuses the source, or the simulation ended without results.
        UnknownNameError: an unknown simulator or top module.
    """
    where = f"test bench of '{top}'"
    if simulator not in BENCH_SIMULATORS:
        raise unknown("simulator of a test bench", simulator, BENCH_SIMULATORS)
    if waves and build_dir is None:
        raise SpecError(f"{where}: waves=True needs a build_dir to write them to")
    read = Sources.read(sources, include, defines, where)
    spec = _build_spec(read, top, simulator, parameters or {}, waves, where)
    tools, path = _need_tools(simulator, where)
    environment = {"PATH": path, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    built = _cached_build(spec, read.digest, tools, environment, where)
    folder, name = _locate(test_module, where)
    environment["PYTHONPATH"] = os.pathsep.join([*folder, environment["PYTHONPATH"]])
    spec |= {"action": "test", "build_dir": str(built), "env": dict(env or {})}
    spec |= {"test_module": name, "testcase": testcase, "seed": seed}
    with tempfile.TemporaryDirectory(prefix="hwmodel-bench-") as temporary:
        out = Path(build_dir or temporary).resolve()
        out.mkdir(parents=True, exist_ok=True)
        return _test(spec, environment, out, where, tools[0])


def _build_spec(
    read: Sources, top: str, simulator: str, parameters: Mapping[str, Parameter], waves: bool, where: str
) -> dict[str, Any]:
    """What decides a build, as JSON can hold it."""
    read.find_top(top, where)
    return {
        "simulator": simulator,
        "sources": [str(file) for file in read.files],
        "top": top,
        "includes": [str(folder) for folder in read.include],
        "defines": dict(read.defines),
        "parameters": {n: parameter_text(n, value, where) for n, value in sorted(parameters.items())},
        "waves": waves,
    }


def _cached_build(
    spec: Mapping[str, Any], digest: str, tools: Sequence[Tool], environment: Mapping[str, str], where: str
) -> Path:
    """The folder of the built bench, from the cache where nothing has changed."""
    versions: list[str | bytes] = [*(f"{t.name} {t.version}" for t in tools), sys.version, CHILD.read_bytes()]

    def make(out: Path) -> None:
        # A makefile cannot quote a path with spaces.
        share = spec["simulator"] == "verilator" and " " not in str(out)
        runtime = _bench_runtime(spec, versions, environment) if share else ""
        _build({**spec, "runtime": runtime}, environment, out, where)

    return build_once("cocotb", [json.dumps(spec, sort_keys=True), digest, *versions], make)


def _build(spec: Mapping[str, Any], environment: Mapping[str, str], out: Path, where: str) -> None:
    _child({**spec, "action": "build", "build_dir": str(out)}, environment, out, where)


def _bench_runtime(
    spec: Mapping[str, Any], versions: Sequence[str | bytes], environment: Mapping[str, str]
) -> str:
    """The folder of the object files that all benches under Verilator share, compiled once."""

    def make(out: Path) -> None:
        source = out / "empty.v"
        source.write_text("module empty (input a, output b);\n  assign b = a;\nendmodule\n", encoding="utf-8")
        own = {"sources": [str(source)], "top": "empty", "includes": [], "defines": {}, "parameters": {}}
        with tempfile.TemporaryDirectory(prefix="hwmodel-bench-") as folder:
            _build({**spec, **own, "runtime": ""}, environment, Path(folder), "test bench")
            for file in Path(folder).glob("verilated*.o"):
                shutil.copyfile(file, out / file.name)
        script = out / "reuse"
        script.write_text(REUSE, encoding="utf-8")
        script.chmod(0o755)

    return str(build_once("bench-runtime", [repr(spec["waves"]), *versions], make))


def _need_tools(simulator: str, where: str) -> tuple[list[Tool], str]:
    """The tools of a bench, the simulator first, and the PATH on which it is found."""
    if not has_package("cocotb_tools"):
        raise missing("cocotb", where)
    names = ("verilator", "g++", "make", "perl") if simulator == "verilator" else ("iverilog",)
    tools = [need(name, f"{where} under {simulator}") for name in names]
    # The wheel's own folder must come first: another Verilator on PATH would be taken instead.
    # Verilator's makefile calls python by that name.
    folders = [str(Path(tools[0].command[0]).parent), str(Path(sys.executable).parent)]
    return tools, os.pathsep.join([*folders, os.environ.get("PATH", "")])


def _locate(test_module: str | os.PathLike[str], where: str) -> tuple[list[str], str]:
    """Folder to import from, if any, and name of the module."""
    text = os.fspath(test_module)
    if not text.endswith(".py"):
        return [], text
    file = Path(text).resolve()
    if not file.is_file():
        raise SpecError(f"{where}: there is no test module {text}")
    return [str(file.parent)], file.stem


def _child(spec: Mapping[str, Any], environment: Mapping[str, str], folder: Path, where: str) -> None:
    """Run cocotb's runner in a process of its own: it changes its environment and prints at will."""
    python = Tool("python", "", (sys.executable,), environment)
    done = python.run([str(CHILD), json.dumps(spec)], cwd=folder)
    if done.returncode and spec["action"] == "build":
        log = folder / "build.log"
        said = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else done.stderr
        raise ToolError(f"{where}: {spec['simulator']} refuses the source: {first_error(said)}")


def _test(
    spec: dict[str, Any], environment: Mapping[str, str], folder: Path, where: str, tool: Tool
) -> BenchResult:
    results, log = folder / "results.xml", folder / "test.log"
    for old in (results, log):
        old.unlink(missing_ok=True)
    _child({**spec, "test_dir": str(folder)}, environment, folder, where)
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    if not results.is_file():
        raise ToolError(f"{where}: the simulation ended without results: {_last_error(text)}")
    return BenchResult(read_results(results.read_text(encoding="utf-8")), f"{tool.name} {tool.version}", text)


def _last_error(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if "Error" in line or "CRITICAL" in line]
    return lines[-1] if lines else first_error(log)


def read_results(xml: str) -> tuple[BenchCase, ...]:
    """The tests in a results file that cocotb wrote.

    Example:
        >>> read_results('<r><s><testcase name="a" time="1"><failure message="no"/></testcase></s></r>')
        (BenchCase(name='a', passed=False, message='no', seconds=1.0),)
    """
    cases = []
    for case in ElementTree.fromstring(xml).iter("testcase"):
        bad = [node for node in case if node.tag in ("failure", "error")]
        said = (bad[0].get("message") or bad[0].text or "no message").strip() if bad else ""
        seconds = float(case.get("time") or 0)
        cases.append(BenchCase(case.get("name", ""), not bad, " ".join(said.split())[:400], seconds))
    return tuple(cases)

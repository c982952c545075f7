"""Small programs that come with the package, built with a compiler of the machine and traced.

Graph kernels, kernels in the manner of the NAS parallel benchmarks, streams, a pointer chase and a matrix product: all
in C, all making their own input, none of them needing a download. Each marks its region of interest, which begins when
the input is made. `hwmodel.cryo.generators` makes traces without any compiler.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from hwmodel.cryo import _plugin
from hwmodel.cryo._cached import cached_folder, used
from hwmodel.cryo._technology_memory import format_size
from hwmodel.cryo._workload_table import WORKLOADS, Parameter, Workload
from hwmodel.errors import ToolError, unknown

__all__ = ["COMPILERS", "WORKLOADS", "Isa", "Parameter", "Workload", "build", "table", "trace"]

Isa = Literal["riscv64", "x86-64"]

SOURCES = Path(__file__).resolve().parent / "_workloads"
# Contraction is what a processor with fused multiply-add would do, and what -std=c99 alone turns off.
OPTIONS = ("-std=c99", "-O2", "-ffp-contract=fast", "-static", "-Wall", "-Wextra")
COMPILERS: Mapping[str, str] = {"riscv64": "riscv64-linux-gnu-gcc", "x86-64": "x86_64-linux-gnu-gcc"}
"""The compiler of each instruction set; on a machine of that set itself `gcc` serves as well."""
PACKAGES = {
    "riscv64": "gcc-riscv64-linux-gnu libc6-dev-riscv64-cross",
    "x86-64": "gcc-x86-64-linux-gnu libc6-dev-amd64-cross",
}
NATIVE = {"riscv64": "riscv64", "x86-64": "x86_64"}


def build(name: str, isa: Isa = "riscv64", **parameters: int | str) -> Path:
    """Compile a workload, or take it from the cache, and return the path of the program.

    Parameters:
        name: a name of WORKLOADS.
        isa: what it is to run on.
        parameters: those of the workload that differ from their defaults.

    Raises:
        UnknownNameError: no such workload or parameter.
        SpecError: a value out of its bounds.
        ToolError: there is no compiler, or it failed.

    Example:
        >>> build("bfs", scale=10).name  # doctest: +SKIP
        'bfs'
    """
    workload = _find(name)
    values = workload.values(**parameters)
    compiler, version = _compiler(isa)
    defines = [f"-D{key.upper()}={value}" for key, value in values.items()]
    digest = hashlib.sha256(" ".join([compiler, version, *OPTIONS, *defines]).encode())
    headers = [*sorted(SOURCES.glob("*.h")), _plugin.SOURCES / "hwmodel_marker.h"]
    for file in (SOURCES / f"{name}.c", *headers):
        digest.update(file.read_bytes())
    made = cached_folder("workloads") / digest.hexdigest()[:24] / name
    fresh = not made.is_file()
    if fresh:
        made.parent.mkdir(exist_ok=True)
        _compile([compiler, *OPTIONS, *defines], SOURCES / f"{name}.c", made)
    used(made.parent, fresh)
    return made


def trace(
    name: str,
    out: str | os.PathLike[str],
    isa: Isa = "riscv64",
    *,
    instructions: int | None = None,
    progress: Callable[[int], None] | None = None,
    **parameters: int | str,
) -> dict[str, Any]:
    """Build a workload and record its region of interest; the program prints its check sums.

    Parameters:
        name, isa, parameters: as for `build`.
        out: the `.hwt` file to write.
        instructions: most instructions to record; None: the whole region.
        progress: is told how many instructions were executed so far, now and then.

    Returns:
        The trace's description; its source names the workload and all parameters.

    Raises:
        ToolError: a compiler or QEMU is missing or failed, or the program did.

    Example:
        >>> trace("chase", "chase.hwt", steps=1000)["operands"]  # doctest: +SKIP
        1000
    """
    from hwmodel.cryo.trace_record import record

    workload = _find(name)
    values = workload.values(**parameters)
    program = build(name, isa, **parameters)
    # The program takes no arguments; they are what the trace's description shows.
    argv = [str(program), *workload.describe(values).split()]
    meta = record(argv, out, marker=True, instructions=instructions, progress=progress)
    if meta["status"]:
        raise ToolError(
            f"workload {name} ended with status {meta['status']}; the trace '{out}' is not of use"
        )
    return meta


def table() -> str:
    """Return the workloads with their defaults and footprints, as Markdown.

    Example:
        >>> print(table().splitlines()[0])
        | name | what it does | what it shows | defaults | data |
    """
    lines = ["| name | what it does | what it shows | defaults | data |", "|---|---|---|---|---|"]
    for workload in WORKLOADS.values():
        size = format_size(workload.footprint() // 1024 * 1024)
        cells = (workload.name, workload.title, workload.stresses, f"`{workload.describe()}`", size)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


# What follows is private.


def _find(name: str) -> Workload:
    if name not in WORKLOADS:
        raise unknown("workload", name, WORKLOADS)
    return WORKLOADS[name]


def _compiler(isa: str) -> tuple[str, str]:
    """Path and version of the compiler for an instruction set."""
    if isa not in COMPILERS:
        raise unknown("instruction set", isa, COMPILERS)
    native = os.uname().machine == NATIVE[isa]
    names = (COMPILERS[isa], "gcc", "cc") if native else (COMPILERS[isa],)
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        package = "gcc" if native else PACKAGES[isa]
        others = " or ".join(f"isa='{other}'" for other in COMPILERS if other != isa)
        raise ToolError(
            f"a workload for {isa} needs {' or '.join(names)}, which was not found; install it (Debian: apt-get install "
            f"{package}), or take {others}, or a generator of hwmodel.cryo.generators, which needs no compiler"
        )
    done = subprocess.run([found, "-dumpfullversion"], capture_output=True, text=True, check=False)
    return found, done.stdout.strip()


def _compile(command: list[str], source: Path, made: Path) -> None:
    """Compile one program; it appears under its name when it is complete."""
    handle, fresh = tempfile.mkstemp(prefix=".workload-", dir=made.parent)
    os.close(handle)
    try:
        command = [*command, "-I", str(_plugin.SOURCES), "-o", fresh, str(source), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            why = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
            raise ToolError(
                f"'{command[0]}' could not compile workload {source.stem}: {why}; install libc's headers too"
            )
        Path(fresh).chmod(0o755)
        Path(fresh).replace(made)
    finally:
        Path(fresh).unlink(missing_ok=True)

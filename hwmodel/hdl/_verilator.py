"""Designs compiled by Verilator to a shared object that runs a whole window in one call."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from hwmodel.errors import ToolError
from hwmodel.hdl._design import Sources, Word, verilator_flags
from hwmodel.hdl._layout import Control, Ints, factor
from hwmodel.hdl._tools import Tool, build_once, first_error, need

HARNESS = Path(__file__).with_name("_harness.cpp")

COMPILE = (
    "-std=c++17", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-w",
    "-DVL_USER_FINISH", "-DVL_USER_STOP", "-DVL_USER_FATAL", "-DVL_USER_WARN", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0",
    "-DVM_TRACE_FST=0", "-DVM_TRACE_VCD=0", "-DVM_TRACE_SAIF=0", "-DVERILATOR=1", "-DVL_TIME_CONTEXT",
)  # fmt: skip
RUNTIME = ("verilated", "verilated_save", "verilated_threads", "verilated_probdist", "verilated_random")


class VerilatorSimulator:
    """One instance of a compiled design."""

    kind = "verilator"

    def __init__(self, library: Path, cycles: int, where: str, folders: Sequence[Path] = ()) -> None:
        self._where = where
        self._lib = _load(str(library))
        self._known: tuple[Ints, ...] = ()  # arrays of the last call
        self._at: list[int] = []  # their addresses
        message = ctypes.create_string_buffer(4096)
        for folder in folders or [Path.cwd()]:
            with _inside(folder):
                self._model = self._lib.hw_new(cycles, message, len(message))
            if self._model or b"$readmem file not found" not in message.value:
                break
        if not self._model:
            raise ToolError(f"{where}: the design stopped itself: {message.value.decode(errors='replace')}")

    def __del__(self) -> None:
        if getattr(self, "_model", None):
            self._lib.hw_free(self._model)
            self._model = None

    def run(self, control: Control, inbox: Ints, outbox: Ints, records: Ints) -> int:
        """Run edges as far as the control array says; return why it stopped."""
        given = (control.array, inbox, outbox, records)
        if not self._known or any(a is not b for a, b in zip(given, self._known, strict=True)):
            self._known, self._at = given, [array.ctypes.data for array in given]
        return int(self._lib.hw_run(self._model, *self._at))

    def message(self) -> str:
        """What a design said that stopped itself."""
        return str(self._lib.hw_message(self._model).decode(errors="replace"))

    def save(self) -> dict[str, Ints]:
        """Everything inside, as Verilator writes it."""
        data = np.zeros(self._lib.hw_save(self._model), np.uint8)
        self._lib.hw_copy(self._model, data.ctypes.data)
        return {"model": data}

    def load(self, saved: Mapping[str, Ints]) -> None:
        """Take back what `save` gave; it must come from the same build."""
        data = np.ascontiguousarray(saved["model"], np.uint8)
        if self._lib.hw_load(self._model, data.ctypes.data, len(data)):
            raise ToolError(f"{self._where}: the saved state does not fit: {self.message()}")


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in a folder: a design opens the files of its memories from there, beside its source."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _load(path: str) -> ctypes.CDLL:
    library = ctypes.CDLL(path)
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    library.hw_new.argtypes, library.hw_new.restype = [number, pointer, number], pointer
    library.hw_free.argtypes, library.hw_free.restype = [pointer], None
    library.hw_run.argtypes, library.hw_run.restype = [pointer] * 5, number
    library.hw_message.argtypes, library.hw_message.restype = [pointer], ctypes.c_char_p
    library.hw_save.argtypes, library.hw_save.restype = [pointer], number
    library.hw_copy.argtypes, library.hw_copy.restype = [pointer, pointer], None
    library.hw_load.argtypes, library.hw_load.restype = [pointer, pointer, number], number
    return library


# ---------------------------------------------------------------------------------------------- building


def build_library(
    sources: Sources,
    shell: str,
    inputs: Sequence[Word],
    outputs: Sequence[Word],
    clocked: bool,
    reset_low: bool | None,
    where: str,
) -> tuple[Path, str]:
    """Compile a design and return its shared object and the key of the build.

    The build is kept in the cache: an equal design is not compiled again, in this or any other process.

    Raises:
        ToolError: a tool is missing, or one refuses the source.
    """
    why = f"{where}: simulator 'verilator'"
    verilator, compiler = need("verilator", why), need("g++", why)
    header = header_text(inputs, outputs, clocked, reset_low)
    key: list[str | bytes] = [
        verilator.version,
        compiler.version,
        repr((COMPILE, _RISE, _KEPT)),
        HARNESS.read_bytes(),
        header,
        shell,
        sources.digest,
    ]
    key += [repr([str(f) for f in sources.files])]  # in messages of the design

    def make(out: Path) -> None:
        runtime = build_once(
            "runtime",
            [verilator.version, compiler.version, repr(COMPILE), repr(RUNTIME)],
            lambda folder: _make_runtime(verilator, compiler, folder, where),
        )
        _make_design(verilator, compiler, sources, shell, header, runtime, out, where)

    folder = build_once("verilator", key, make)
    return folder / "design.so", folder.name


def include_folder(verilator: Tool) -> Path:
    """Where the C++ sources of Verilator's runtime lie."""
    root = verilator.env.get("VERILATOR_ROOT")
    if root is None:
        done = verilator.run(["--getenv", "VERILATOR_ROOT"])
        root = done.stdout.strip()
    return Path(root) / "include"


def _compile(compiler: Tool, args: Sequence[str], cwd: Path, where: str) -> None:
    done = compiler.run(args, cwd=cwd)
    if done.returncode:
        raise ToolError(f"{where}: the C++ compiler failed: {first_error(done.stderr)}")


def _make_runtime(verilator: Tool, compiler: Tool, out: Path, where: str) -> None:
    """Compile what all designs share, once."""
    include = include_folder(verilator)
    flags = [*COMPILE, "-O2", f"-I{include}", f"-I{include / 'vltstd'}", "-c"]
    running = []
    for name in RUNTIME:
        command = [*compiler.command, *flags, str(include / f"{name}.cpp"), "-o", f"{name}.o"]
        running.append(subprocess.Popen(command, cwd=out, stderr=subprocess.PIPE, text=True))
        if len(running) % 2 == 0:
            running[-2].wait()
    for process in running:
        _, said = process.communicate()
        if process.returncode:
            raise ToolError(f"{where}: the C++ compiler failed: {first_error(said)}")


def _make_design(
    verilator: Tool,
    compiler: Tool,
    sources: Sources,
    shell: str,
    header: str,
    runtime: Path,
    out: Path,
    where: str,
) -> None:
    (out / "hwmodel_shell.v").write_text(shell, encoding="utf-8")
    (out / "design.h").write_text(header, encoding="utf-8")
    args = ["--cc", "--savable", "-O3", "--x-assign", "0", "--x-initial", "0", *verilator_flags(sources)]
    args += [
        "--output-split",
        "0",
        "--prefix",
        "Vm",
        "--top-module",
        "hwmodel_shell",
        "--Mdir",
        str(out / "c"),
    ]
    done = verilator.run([*args, *map(str, sources.files), str(out / "hwmodel_shell.v")], cwd=out)
    if done.returncode:
        raise ToolError(f"{where}: Verilator refuses the source: {first_error(done.stderr + done.stdout)}")
    parts = sorted((out / "c").glob("*.cpp"))
    generated = "".join(file.read_text(encoding="utf-8") for file in [*parts, *(out / "c").glob("*.h")])
    whole = "".join(f'#include "c/{part.name}"\n' for part in parts) + f'#include "{HARNESS}"\n'
    (out / "whole.cpp").write_text(whole, encoding="utf-8")
    include = include_folder(verilator)
    flags = [*COMPILE, "-O3", f"-I{include}", f"-I{include / 'vltstd'}", "-I.", "-Ic"]
    flags += ["-DRISES_ONLY"] if rises_only(generated) else []
    _compile(compiler, [*flags, "-c", "whole.cpp", "-o", "whole.o"], out, where)
    objects = ["whole.o", *(str(runtime / f"{name}.o") for name in RUNTIME)]
    link = [
        "-shared",
        "-Wl,-Bsymbolic",
        "-Wl,-z,defs",
        "-Wl,--gc-sections",
        *objects,
        "-o",
        "design.so",
        "-pthread",
    ]
    _compile(compiler, link, out, where)
    (out / "whole.o").unlink()


_RISE = "((IData)(vlSelfRef.c) & (~ (IData)(vlSelfRef.__Vtrigprevexpr___TOP__c__0)))"
_KEPT = (
    "c{vlSymsp->TOP.c}",  # the pin itself
    "vlSelfRef.__Vtrigprevexpr___TOP__c__0 = vlSelfRef.c;",
    "VL_UNLIKELY(((vlSelfRef.c & 0xfeU)))",
)


def rises_only(code: str) -> bool:
    """Whether nothing in the C++ that Verilator wrote looks at the clock pin but for its rise.

    Then an edge takes one evaluation, not two. The reset pin may trigger too, for it rests in a run.
    Code of any other form, such as that of another release, counts as no.
    """
    code = re.sub(r"\s+", " ", code)
    if _RISE not in code or not set(re.findall(r"__Vtrigprevexpr\w*", code)) <= {
        "__Vtrigprevexpr___TOP__c__0",
        "__Vtrigprevexpr___TOP__r__0",
    }:
        return False
    for known in (_RISE, *_KEPT):
        code = code.replace(known, "")
    return re.search(r"(vlSelfRef|TOP)\.c\b", code) is None


def header_text(
    inputs: Sequence[Word], outputs: Sequence[Word], clocked: bool, reset_low: bool | None
) -> str:
    """design.h: how the harness reaches the pins of the shell."""
    put = [line for k, word in enumerate(inputs) for line in _put(k, word, _is_wide(word, inputs))]
    get = [line for k, word in enumerate(outputs) for line in _get(k, word, _is_wide(word, outputs))]
    clock = "m->c = on;" if clocked else ""
    reset = "" if reset_low is None else f"m->r = {'!on' if reset_low else 'on'};"
    return "\n".join(
        [
            f"constexpr int INPUTS = {len(inputs)};",
            f"constexpr int OUTPUTS = {len(outputs)};",
            *_input_tables(inputs),
            "static inline void put(Vm* m, const int64_t* v) {",
            *put,
            "}",
            "static inline void get(Vm* m, int64_t* v) {",
            *get,
            "}",
            f"static inline void set_clock(Vm* m, int on) {{ {clock} }}",
            f"static inline void set_reset(Vm* m, int on) {{ {reset} }}",
            "",
        ]
    )


def _input_tables(inputs: Sequence[Word]) -> list[str]:
    """A value fits where value + offset <= span; the mask cuts it, and the factor counts in the digest."""
    masks = [(1 << word.width) - 1 for word in inputs]
    offsets = [1 << (word.width - 1) if word.width < 64 else 0 for word in inputs]
    tables = {
        "OFFSET": offsets,
        "SPAN": [mask + offset for mask, offset in zip(masks, offsets, strict=True)],
        "MASK": masks,
        "FACTOR": [factor(k) for k in range(len(inputs))],
    }
    return [f"constexpr int WIDEST_INPUT = {max((word.width for word in inputs), default=0)};"] + [
        f"constexpr uint64_t IN_{name}[INPUTS + 1] = {{{', '.join(f'{x:#x}u' for x in table)}}};"
        for name, table in tables.items()
    ]


def _is_wide(word: Word, words: Sequence[Word]) -> bool:
    return sum(w.width for w in words if w.pin == word.pin) > 64


def _put(k: int, word: Word, wide: bool) -> list[str]:
    if not wide:
        return [f"    m->i{word.pin} = (uint64_t)v[{k}];"]
    at = word.low // 32
    lines = [f"    m->i{word.pin}[{at}] = (uint32_t)v[{k}];"]
    if word.width > 32:
        lines.append(f"    m->i{word.pin}[{at + 1}] = (uint32_t)((uint64_t)v[{k}] >> 32);")
    return lines


def _get(k: int, word: Word, wide: bool) -> list[str]:
    if not wide:
        return [f"    v[{k}] = (int64_t)(uint64_t)m->o{word.pin};"]
    at = word.low // 32
    high = f" | ((uint64_t)m->o{word.pin}[{at + 1}] << 32)" if word.width > 32 else ""
    return [f"    v[{k}] = (int64_t)((uint64_t)m->o{word.pin}[{at}]{high});"]

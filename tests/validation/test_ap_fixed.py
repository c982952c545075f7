"""Fixed point against AMD's ap_types headers: recorded vectors, and the headers themselves where they are installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hwmodel.fixedpoint import (
    OVERFLOWS,
    ROUNDINGS,
    Fixed,
    arithmetic,
    dot,
    quantize,
    requantize,
    result_format,
)
from tests.unit.fixedpoint.conformance import format_of, patterns, raws_of, rows

Vectors = dict[str, npt.NDArray[Any]]
EVERY = 5  # of the suite's casts go through the C++ compiler: 63 modes and saturation bits share no factor with it


def load(folder: Path, name: str) -> Vectors:
    file = folder / "fixedpoint" / f"{name}.npz"
    if not file.is_file():
        pytest.skip(f"no {file}; name the folder of the reference data in HWMODEL_REFERENCE")
    return dict(np.load(file, allow_pickle=False))


def named(vectors: Vectors, k: int) -> dict[str, int]:
    return dict(zip(vectors["columns"].tolist(), vectors["meta"][k].tolist(), strict=True))


def part(vectors: Vectors, name: str, k: int) -> npt.NDArray[np.int64]:
    return vectors[name][vectors["offset"][k] : vectors["offset"][k + 1]].astype(np.int64)


def test_casts(reference_data: Path) -> None:
    vectors = load(reference_data, "cast_exhaustive")
    wrong = []
    for k in range(len(vectors["meta"])):
        row = named(vectors, k)
        src = Fixed(row["src_w"], row["src_i"], bool(row["src_s"]))
        modes = ROUNDINGS[row["q"]], OVERFLOWS[row["o"]], row["n"]
        dst = Fixed(row["dst_w"], row["dst_i"], bool(row["dst_s"]), *modes)
        if not np.array_equal(requantize(patterns(src), src, dst), part(vectors, "values", k)):
            wrong.append(f"{src} -> {dst}")
    assert wrong == []


def test_doubles(reference_data: Path) -> None:
    vectors = load(reference_data, "from_double")
    wrong = []
    for k in range(len(vectors["meta"])):
        row = named(vectors, k)
        fmt = Fixed(row["w"], row["i"], bool(row["s"]), ROUNDINGS[row["q"]], OVERFLOWS[row["o"]])
        if not np.array_equal(quantize(vectors["x"], fmt), vectors["values"][k]):
            wrong.append(str(fmt))
    assert wrong == []


def apply(op: str, row: dict[str, int], a_fmt: Fixed) -> tuple[npt.NDArray[Any], Fixed]:
    """One operator on all patterns; a shift's count stands in the second operand's width."""
    if op in ("<<", ">>"):
        return arithmetic(op, patterns(a_fmt), a_fmt, row["bw"])
    if op == "neg":
        return arithmetic(op, patterns(a_fmt), a_fmt)
    b_fmt = Fixed(row["bw"], row["bi"], bool(row["bs"]))
    with np.errstate(divide="ignore"):
        return arithmetic(op, patterns(a_fmt)[:, None], a_fmt, patterns(b_fmt), b_fmt)


def test_operators(reference_data: Path) -> None:
    vectors = load(reference_data, "arith_exhaustive")
    wrong = []
    for k, op in enumerate(vectors["op"].tolist()):
        row, wanted = named(vectors, k), part(vectors, "values", k)
        raw, fmt = apply(op, row, Fixed(row["aw"], row["ai"], bool(row["as"])))
        known = wanted != vectors["undefined"]
        same = np.array_equal(raw.reshape(-1)[known], wanted[known])
        if not same or fmt != Fixed(row["rw"], row["ri"], bool(row["rs"])):
            wrong.append(f"{op} {row}")
    assert wrong == []


def test_dot_products(reference_data: Path) -> None:
    vectors = load(reference_data, "dot_sequential_mac")
    wrong, differ = [], 0
    for k in range(len(vectors["meta"])):
        row, operands = named(vectors, k), part(vectors, "operands", k)
        a, b = operands[: row["n"]], operands[row["n"] :]
        types = Fixed(row["aw"], row["ai"], bool(row["as"])), Fixed(row["bw"], row["bi"], bool(row["bs"]))
        accumulator = Fixed(row["cw"], row["ci"], True, ROUNDINGS[row["cq"]], OVERFLOWS[row["co"]])
        out = Fixed(row["ow"], row["oi"], bool(row["os"]), ROUNDINGS[row["oq"]], OVERFLOWS[row["oo"]])
        total = dot(a, types[0], b, types[1], accumulator)
        if (int(total), int(requantize(total, accumulator, out))) != (row["acc"], row["out"]):
            wrong.append(str(row))
        differ += int(dot(a, types[0], b, types[1], accumulator, each_step=False)) != row["acc"]
    assert wrong == []
    assert differ > len(vectors["meta"]) // 2  # so the order of the casts is really tested


# ------------------------------------------------------------------------------------- the headers themselves


@pytest.fixture(scope="module")
def headers() -> Path:
    """Folder of ap_fixed.h: HWMODEL_AP_TYPES, or inside an installed hls4ml or da4ml."""
    folders = [Path(os.environ["HWMODEL_AP_TYPES"])] if "HWMODEL_AP_TYPES" in os.environ else []
    inside = {"hls4ml": "templates/vivado/ap_types", "da4ml": "codegen/hls/source/ap_types/include"}
    for package, place in inside.items():
        spec = importlib.util.find_spec(package)
        folders += [Path(root) / place for root in (spec.submodule_search_locations or ())] if spec else []
    for folder in folders:
        if (folder / "ap_fixed.h").is_file():
            return folder
    pytest.skip("no ap_fixed.h; install hls4ml, or name the headers' folder in HWMODEL_AP_TYPES")


def cpp(fmt: Fixed) -> str:
    """The type with all its parameters."""
    sign = "" if fmt.signed else "u"
    modes = f"AP_{fmt.rounding},AP_{fmt.overflow},{fmt.saturation_bits}"
    return f"ap_{sign}fixed<{fmt.width},{fmt.int_bits},{modes}>"


PROGRAM = """
#include <cstdio>
#include "ap_fixed.h"
template <class T> T make(unsigned p) { T x; x.range(T::width - 1, 0) = p; return x; }
template <class T> void show(T x) { printf(" %llu", (unsigned long long)x.range(T::width - 1, 0).to_uint64()); }
template <class S, class D> void cast() {
  for (unsigned p = 0; p < (1u << S::width); p++) show(D(make<S>(p)));
  printf("\\n");
}
#define OPERATOR(NAME, OP) template <class A, class B> void NAME() { \\
  for (unsigned p = 0; p < (1u << A::width); p++) for (unsigned q = 0; q < (1u << B::width); q++) \\
    show(make<A>(p) OP make<B>(q)); printf("\\n"); }
#define RELATION(NAME, OP) template <class A, class B> void NAME() { \\
  for (unsigned p = 0; p < (1u << A::width); p++) for (unsigned q = 0; q < (1u << B::width); q++) \\
    printf(" %d", int(make<A>(p) OP make<B>(q))); printf("\\n"); }
OPERATOR(add, +) OPERATOR(sub, -) OPERATOR(mul, *) OPERATOR(band, &) OPERATOR(bor, |) OPERATOR(bxor, ^)
RELATION(eq, ==) RELATION(ne, !=) RELATION(lt, <) RELATION(le, <=) RELATION(gt, >) RELATION(ge, >=)
template <class A, class B> void div() {
  for (unsigned p = 0; p < (1u << A::width); p++) for (unsigned q = 0; q < (1u << B::width); q++)
    if (q) show(make<A>(p) / make<B>(q)); else printf(" -1");
  printf("\\n");
}
int main() {
@CALLS@
}
"""
FUNCTIONS = {"+": "add", "-": "sub", "*": "mul", "/": "div", "&": "band", "|": "bor", "^": "bxor"}
FUNCTIONS |= {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


def run_cpp(calls: list[str], headers: Path, folder: Path) -> list[list[int]]:
    """Compile the calls and give the numbers that each prints."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ on the path; install a C++ compiler")
    source, program = folder / "suite.cpp", folder / "suite"
    source.write_text(PROGRAM.replace("@CALLS@", "\n".join(f"  {call};" for call in calls)))
    # The headers' own assertions stop at casts that drop more bits than the source has.
    command = [
        compiler,
        "-std=c++17",
        "-O0",
        "-w",
        "-DNDEBUG",
        f"-I{headers}",
        str(source),
        "-o",
        str(program),
    ]
    subprocess.run(command, check=True, timeout=600)
    printed = subprocess.run([program], check=True, capture_output=True, text=True, timeout=60).stdout
    return [[int(word) for word in line.split()] for line in printed.splitlines()]


@pytest.mark.slow
def test_casts_of_the_suite_in_cpp(headers: Path, tmp_path: Path) -> None:
    chosen = list(rows("casts.csv"))[:: int(os.environ.get("HWMODEL_AP_TYPES_EVERY", EVERY))]
    assert {(row["rounding"], row["overflow"]) for row in chosen} == {
        (q, o) for q in ROUNDINGS for o in OVERFLOWS
    }
    calls = [f"cast<{cpp(format_of(row, 'src_'))}, {cpp(format_of(row))}>()" for row in chosen]
    got = run_cpp(calls, headers, tmp_path)
    wanted = [(raws_of(row["words"], format_of(row)) % (1 << int(row["width"]))).tolist() for row in chosen]
    assert [call for call, a, b in zip(calls, got, wanted, strict=True) if a != b] == []


@pytest.mark.slow
def test_operations_of_the_suite_in_cpp(headers: Path, tmp_path: Path) -> None:
    chosen = list(rows("operations.csv"))
    formats = [(format_of(row, "a_"), format_of(row, "b_")) for row in chosen]
    calls = [
        f"{FUNCTIONS[row['operator']]}<{cpp(a)}, {cpp(b)}>()"
        for row, (a, b) in zip(chosen, formats, strict=True)
    ]
    wrong = []
    for row, call, got in zip(chosen, calls, run_cpp(calls, headers, tmp_path), strict=True):
        fmt = format_of(row)
        assert fmt == result_format(row["operator"], format_of(row, "a_"), format_of(row, "b_"))
        raws = raws_of(row["words"], fmt)
        wanted = np.where(raws == -(1 << 40), -1, raws % (1 << fmt.width))
        if got != wanted.tolist():
            wrong.append(call)
    assert wrong == []

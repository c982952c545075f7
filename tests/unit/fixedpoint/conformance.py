"""The conformance suite as arrays, and strategies for formats."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from hwmodel.fixedpoint import OVERFLOWS, ROUNDINGS, Fixed

SUITE = Path(__file__).resolve().parents[2] / "golden" / "fixedpoint"
Ints = npt.NDArray[np.int64]


def patterns(fmt: Fixed) -> Ints:
    """The raw of every bit pattern, from pattern 0 on."""
    word = np.arange(1 << fmt.width)
    return np.where(word > fmt.max_raw, word - (1 << fmt.width), word)


def raws_of(words: str, fmt: Fixed) -> Ints:
    """Raws of hexadecimal words; a missing one becomes -2**40."""
    digits = (fmt.width + 3) // 4
    parts = [words[k : k + digits] for k in range(0, len(words), digits)]
    bits = np.array([-(1 << 40) if "-" in part else int(part, 16) for part in parts])
    return np.where(bits > fmt.max_raw, bits - (1 << fmt.width), bits)


def rows(name: str) -> Iterator[dict[str, str]]:
    with (SUITE / name).open(newline="") as file:
        yield from csv.DictReader(file)


def format_of(row: dict[str, str], prefix: str = "") -> Fixed:
    width, int_bits, signed = (int(row[prefix + name]) for name in ("width", "int_bits", "signed"))
    modes = (
        (row["rounding"], row["overflow"], int(row["saturation_bits"]))
        if "rounding" in row and not prefix
        else ()
    )
    return Fixed(width, int_bits, bool(signed), *modes)


def casts() -> list[tuple[Fixed, Fixed, Ints]]:
    """Source, destination and the raws that all patterns of the source give."""
    found = []
    for row in rows("casts.csv"):
        dst = format_of(row)
        found.append((format_of(row, "src_"), dst, raws_of(row["words"], dst)))
    return found


@st.composite
def formats(draw: Any, max_width: int = 16, signed: bool | None = None, max_point: int = 6) -> Fixed:
    """Any format of up to so many bits, in any mode."""
    width = draw(st.integers(1, max_width))
    sign = draw(st.booleans()) if signed is None else signed
    overflow = draw(st.sampled_from(OVERFLOWS if sign else OVERFLOWS[:-1]))
    n = draw(st.integers(0, width)) if overflow.startswith("WRAP") else 0
    int_bits = draw(st.integers(-max_point, width + max_point))
    return Fixed(width, int_bits, sign, draw(st.sampled_from(ROUNDINGS)), overflow, n)


def raws(fmt: Fixed) -> st.SearchStrategy[int]:
    return st.integers(fmt.min_raw, fmt.max_raw)

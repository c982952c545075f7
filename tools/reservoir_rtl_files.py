"""Generated files of the reservoir's RTL: a modest pipeline in Verilog, and the depth of its active paths as a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwmodel.reservoir.rtl_paths import PathCounts

HASHES = 256


def pipeline() -> str:
    """Two rounds laid out, with the front that rolls versions."""
    from hwmodel.reservoir.rtl import emit_pipeline

    return emit_pipeline(unroll=2, name="sha256d_unroll2", front="version").verilog


def paths() -> str:
    """Depth of the active paths of a round, for sums by a prefix adder and by a carry that ripples."""
    from hwmodel.reservoir.rtl_paths import path_histogram

    parts = [
        '"""Active paths of a round of SHA-256 by their depth in gate delays.',
        "",
        "Made by tools/regenerate.py with `hwmodel.reservoir.rtl_paths.path_histogram`; edit nothing here. COUNTS are paths",
        f"a round that settle last at each of LEVELS, means over 128 rounds of {HASHES} hashes of consecutive nonces.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        '__all__ = ["COUNTS", "LEVELS", "RIPPLE_COUNTS", "RIPPLE_LEVELS", "RIPPLE_SOURCE", "SOURCE"]',
        "",
        *_table("", path_histogram("prefix", HASHES)),
        "",
        *_table("RIPPLE_", path_histogram("ripple", HASHES)),
    ]
    return "\n".join(parts) + "\n"


def _table(prefix: str, found: PathCounts) -> list[str]:
    levels = [f"    {level}," for level in found.levels]
    counts = [f"    {_number(count)}," for count in found.counts]
    source = f"{prefix}SOURCE = (\n"
    first, _, rest = found.source.partition(": ")
    source += f'    "{first}: "\n    "{rest}"\n)'
    return [
        f"{prefix}LEVELS = (", *levels, ")", f"{prefix}COUNTS = (", *counts, ")", source
    ]  # fmt: skip


def _number(count: float) -> str:
    """Six digits after the point tell one path in 256 hashes of 128 rounds."""
    return f"{count:.6f}"


FILES: dict[str, Callable[[], str]] = {
    "rtl/gen/sha256d_unroll2.v": pipeline,
    "hwmodel/reservoir/_path_table.py": paths,
}

"""Measure every ratio of tests/bench in one run, print a table, and write build/bench.json.

Exits with 1 where a ratio is below its floor. Speeds are given as ratios because the machine's own
speed drifts; take them on a quiet machine.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))


def measure() -> list[dict[str, Any]]:
    """Run all benches; each module lists its own in `BENCHES`."""
    rows = []
    for file in sorted(HERE.glob("bench_*.py")):
        module = importlib.import_module(f"tests.bench.{file.stem}")
        for bench in module.BENCHES:
            print(f"  {file.stem}.{bench.__name__} ...", file=sys.stderr, flush=True)
            rows.append(bench())
    return rows


def main() -> int:
    """Print and write the table."""
    begun = time.monotonic()
    rows = measure()
    wide = max(len(row["name"]) for row in rows)
    print(f"{'name':{wide}}  {'ratio':>8}  {'floor':>6}  against")
    for row in rows:
        mark = " " if row["ratio"] >= row["floor"] else "!"
        print(f"{row['name']:{wide}}  {row['ratio']:8.2f}{mark} {row['floor']:6.2f}  {row['against']}")
        if row.get("detail"):
            print(f"{'':{wide}}  {row['detail']}")
    out = Path("build/bench.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    slow = [row["name"] for row in rows if row["ratio"] < row["floor"]]
    print(f"{len(rows)} ratios in {time.monotonic() - begun:.0f} s, written to {out}")
    if slow:
        print(f"below the floor: {', '.join(slow)}", file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main())

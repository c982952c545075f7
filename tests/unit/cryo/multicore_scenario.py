"""Two cores that share data, run once; printed figures are compared between compiled and plain Python."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from hwmodel.cryo.config import cryo_inorder, cryo_ooo
from hwmodel.cryo.generators import Uniform, Zipf, generate
from hwmodel.cryo.multicore import simulate_cores


def main() -> None:
    """Print the figures of a short run of an out-of-order and an in-order core."""
    folder = Path(tempfile.mkdtemp())
    generate(folder / "a.hwt", Zipf("16 kB"), instructions=300, seed=1)
    generate(folder / "b.hwt", Uniform("16 kB"), instructions=300, seed=2)
    found = simulate_cores(
        [folder / "a.hwt", folder / "b.hwt"],
        [cryo_ooo(), cryo_inorder()],
        protocol="moesi",
        spaces="shared",
        warmup=20,
    )
    json.dump(found.as_dict(), sys.stdout, sort_keys=True)


if __name__ == "__main__":
    main()

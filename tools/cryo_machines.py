"""Make the reference page of machine files: every setting, and its value in each preset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from hwmodel.cryo.config import PRESETS, Bus, Cache, Core, Dram, Machine
from hwmodel.cryo.memories import DRAMS
from hwmodel.units import Frequency, format_time

HEAD = """# Machine files

`hwmodel cachesim TRACE --config FILE` reads a machine from a TOML file. A file names a preset and the settings in which
it differs; every table takes the settings of its part. A name that a part does not have is refused, with the nearest.

```toml
mode = "ooo"              # or "inorder"; "functional" runs caches without any timing
preset = "cryo-ooo"       # the machine that the file starts from
inclusion = "nine"

[l1d]
size = "32 kB"            # kB, MB and GB are binary; size = 0 leaves out l2 or l3
ways = 8
policy = "lru"
clock = "10 GHz"
latency = 4               # cycles of its own clock
interval = 1              # cycles between two accesses of one port; 0: no limit

[l2.bus]
flight = "4.8 ns"         # one way: a metre of cable to the next thermal stage

[core]
clock = "100 GHz"
rob = 128

[core.units.fp_mul]       # nop int mul div fp_add fp_mul fp_div fp_sqrt fp_cvt fp_fma simd system
latency = 8
interval = 1
count = 2

[dram]
preset = "ddr4-2400"

[translation]             # TLBs and a page-table walker; `translation = false` takes out those of a preset
data = {sets = 16, ways = 4}
fetch = {sets = 16, ways = 4}
shared = {sets = 128, ways = 12, latency = 8}
page = "4 kB"
depth = 4                 # levels of the page table
caches = [{level = 2, sets = 4, ways = 8}]
```

A level may also be another array than SRAM: `readout = "destructive"` with `restore` (cycles, or a time) keeps its port
after a read until the word is written again; `organisation = "shift-register"` with `loop` words and a `shift_clock` of
its own makes an access wait until its word comes round.

A bus between two caches runs at the clock of the lower one, unless its own `clock` is set. Times (of `dram`,
`flight`, `restore`) may be text with a unit; without one those of `dram` and `flight` are femtoseconds.

## JSON

`--json FILE` writes `instructions`, `cycles`, `ipc`, `time_fs`, `cpi_stack` (cycles by cause; they sum to `cycles`),
`branches`, `mispredicted`, `forwarded`, `order_violations`, `fetch_lines`, a table `dram`, and one table a cache level:

| key | meaning |
|---|---|
| `read_accesses`, `read_misses` | loads or fetches at the first level; below it every line asked for by demand, a store's too |
| `write_accesses`, `write_misses` | stores at the first level; below it lines written back |
| `writebacks` | dirty lines that left |
| `merged` | misses on a line that was already on its way; they count as misses |
| `prefetches`, `useful_prefetches` | sent by this level; those that were used |
| `prefetches_from_above`, `prefetch_misses` | prefetches of the level above |
| `blocked`, `port_wait` | femtoseconds that requests waited for a miss register or a port |
| `mean_read_latency` | femtoseconds, first levels only |
| `bandwidth` | bytes a second: 8 bytes an access at `l1d`, lines elsewhere |
| `latency_histogram` | read latencies: bins 0 to 3 are 0 to 3 ps, then four bins an octave |

`mode = "functional"` writes the first five of each level and `instructions`.
"""


def shown(value: Any) -> str:
    """A value as a file would have it."""
    if isinstance(value, Frequency):
        return repr(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def table(title: str, text: str, parts: dict[str, Any], skip: tuple[str, ...] = ()) -> list[str]:
    """Rows of settings, columns of parts."""
    kind = type(next(iter(parts.values())))
    lines = [
        f"## {title}",
        "",
        text,
        "",
        "| setting | " + " | ".join(parts) + " |",
        "|---" * (len(parts) + 1) + "|",
    ]
    for field in fields(kind):
        if field.name not in skip:
            values = " | ".join(shown(getattr(part, field.name)) for part in parts.values())
            lines.append(f"| `{field.name}` | {values} |")
    return [*lines, ""]


def drams() -> list[str]:
    """The channels by name."""
    lines = [
        "## DRAM channels",
        "",
        "`preset` of the table `[dram]`. Sources: data sheets as gem5 v24 lists them.",
        "",
    ]
    names = [f.name for f in fields(Dram) if f.name != "name"]
    lines += [
        "| setting | " + " | ".join(f"`{name}`" for name in DRAMS) + " |",
        "|---" * (len(DRAMS) + 1) + "|",
    ]
    timed = (
        "controller",
        "rcd",
        "cl",
        "rp",
        "ras",
        "burst",
        "refi",
        "rfc",
        "wr",
        "turn",
        "cwl",
        "rrd",
        "cs",
        "rtp",
        "wtr",
        "faw",
    )
    for name in names:
        values = [getattr(part, name) for part in DRAMS.values()]
        texts = [format_time(int(v)) if name in timed else str(v) for v in values]
        lines.append(f"| `{name}` | " + " | ".join(texts) + " |")
    return [*lines, ""]


def page() -> str:
    """The whole page."""
    machines: dict[str, Machine] = {name: make() for name, make in sorted(PRESETS.items())}
    cores: dict[str, Core] = {f"`{name}`": machine.core for name, machine in machines.items()}
    lines = [HEAD]
    lines += table("Core", "Table `[core]`; `width` sets all six widths at once.", cores, ("units",))
    for name, machine in machines.items():
        caches: dict[str, Cache] = {f"`{level}`": cache for level, cache in machine.levels.items()}
        lines += table(f"Caches of {name}", "Tables `[l1d]`, `[l1i]`, `[l2]`, `[l3]`.", caches, ("bus",))
        buses: dict[str, Bus] = {f"`{level}`": cache.bus for level, cache in machine.levels.items()}
        lines += table(f"Buses of {name}", "Tables `[l1d.bus]` and so on.", buses)
    lines += drams()
    return "\n".join(lines)


FILES: dict[str, Callable[[], str]] = {"docs/reference/machine-files.md": page}

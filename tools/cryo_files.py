"""Generated files of the cryogenic part: the pages of technology tables and of workloads, and a chart.

`python tools/cryo_files.py` draws the chart. It is not compared by `regenerate.py --check`, because its
paths depend on the version of matplotlib; the pages are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from hwmodel.cryo import workloads
from hwmodel.cryo.technology import Array, access_time, energy_with_cooling, table

ROOT = Path(__file__).resolve().parent.parent
CHART = "docs/images/cryo_technology.svg"

PAGE = """\
# Technology at temperature

<!-- Made by tools/cryo_files.py from hwmodel.cryo.technology; edit the tables there, not here. -->

`hwmodel.cryo.technology` says what memories, wires and links can do between 4 K and 300 K, and what it costs to
cool them. `table(name)` gives every table of this page.

```python
>>> from hwmodel.cryo.technology import Array, access_time, check_latency, latency_cycles, power
>>> l1 = Array("32 kB", "cmos-22nm")
>>> [round(access_time(l1, kelvin) / 1e6, 2) for kelvin in (300, 77, 4)]  # ns
[0.35, 0.25, 0.33]
>>> needed = latency_cycles(l1, "77 K", "100 GHz")
>>> needed.latency, needed.interval
(25, 18)
>>> latency_cycles(Array("32 kB", "jsram"), "4.2 K", "30 GHz").interval
1
>>> watts = power(l1, "4.2 K", "1 GHz", carnot_fraction="large-plant")
>>> f"{watts.dynamic * 1e3:.1f} mW in the cold, {watts.total:.1f} W from the wall"
'6.7 mW in the cold, 2.0 W from the wall'

```

A configuration that is faster than its technology draws a `TechnologyWarning` with the figure:

```python
>>> import warnings
>>> with warnings.catch_warnings(record=True) as found:
...     warnings.simplefilter("always")
...     check = check_latency(2, "100 GHz", l1, "77 K", name="l1d")
>>> print(found[0].message)
l1d: 2 cycles of 10 ps are 20 ps, but 32 kB of cmos-22nm take 246.2 ps at 77 K, 12.3 times as long; give 25
cycles, lower the clock to 8.12 GHz, or name another technology

```

![Access time falls to 77 K and rises again to 4 K; the energy with cooling grows all the way](../images/cryo_technology.svg)

*Time of a read, and its energy with that of cooling by a large plant. The energy at the array alone hardly changes:
at a fixed voltage cooling saves time and leakage.*

## Wires and transistors

{transistor}

Transistors are n-channel, 22 nm, at the supply and 300 K threshold that are named. At fixed voltages cooling
brings no drive current; the voltages must be scaled. The sub-threshold current ends at 1e-14 uA/um, which is the
floor of the program. Between the points everything is interpolated: linearly, the sub-threshold current in its
logarithm. Below 77 K the mobility follows two samples of other lengths, and gate tunnelling stays at its value of
77 K, because the two versions of the program differ by 16 times there.

## SRAM

{sram}

n is the size over 32 kB, so the fits hold from 32 kB to 16 MB; within 16 times of that range they are used with a
warning, beyond it they are refused. The last columns are model / data - 1. The interval is the program's cycle time:
it jumps with the organisation that the program picks, hence the large residuals; it is never taken longer than the
access. Between 4, 77 and 300 K the access time follows gates and repeated copper wires, the leakage follows the
transistor; the energy hardly changes. `cmos-22nm-low-voltage` has data at 77 K only.

40 more runs of the program, at 100 to 250 K and at sizes between those of the fits, are met within 8 % in time, 12 % in
energy and 10 % in leakage. Beyond the sizes of the fits the time is within 7 % at 32 and 64 MB, 6 to 15 % too long at
16 kB and 13 to 34 % too long at 8 kB. Gate leakage follows the program within 10 % down to 77 K.

The program takes bulk copper for all wires. A wire of 40 nm gains much less (first table), so the gain of large arrays
is an upper bound. Its authors advise to use ratios, not absolute values;
a second program shows why.

## CACTI at 300 K

{cacti}

Ratios are CACTI over the fit. CACTI was run for a cache of eight ways, which reads eight ways and tags; the fit is of a
plain memory.

## Other memories

{memories}

`jsram`: an access crosses one row of a word's width and `rows` cells of a bank, then the array; it accepts an access
every period. `sfq` and `delay-line`: `length` words circulate; an access waits for its word, half the length on
average, and `latency_cycles` gives the best, mean and worst case. `dram-77k` and `dram-77k-low-power` are the two
alternatives of the paper.

## Links

{links}

## Cooling

{cooling}

`cooling_overhead` is (300 K / T - 1) over the share of Carnot's efficiency that a machine reaches. A number may stand
instead of a preset.

## Published designs

{designs}
"""


def page() -> str:
    """The page of docs/reference, with the tables of the package."""
    names = ("transistor", "sram", "cacti", "memories", "links", "cooling", "designs")
    text = PAGE
    for name in names:  # not str.format: the examples have braces of their own
        text = text.replace("{" + name + "}", table(name))
    return text


WORKLOADS_PAGE = """\
# Workloads and generators

<!-- Made by tools/cryo_files.py from hwmodel.cryo.workloads; edit the tables there, not here. -->

Traces to simulate come from three places: programs of your own
([trace my program](../howto/trace-my-program.md)), the programs on this page, and generators.

## Programs

Small C programs in the package, each of which makes its own input. They need a compiler and QEMU, and no download:

```console
$ sudo apt-get install qemu-user gcc gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
$ hwmodel trace workloads
$ hwmodel trace workload bfs --out bfs.hwt --set scale=14 --set graph=uniform
```

What is recorded is the region of interest: it begins when the input is made and ends before the check sums are printed.
`--isa x86-64` compiles for x86-64 instead of RISC-V. The compiler is called with `-O2 -static`; programs are kept in the cache
folder. From Python:

```text
>>> from hwmodel.cryo.workloads import trace
>>> trace("bfs", "bfs.hwt", scale=14, graph="uniform")["instructions"]
```

{table}

Data are the bytes that the region touches at most, with the defaults. Graphs are undirected and have no loops and no edge
twice; `kronecker` follows R-MAT with the probabilities of Graph 500, `uniform` draws both ends of an edge.

### Parameters

{parameters}

The programs follow, in the small, what is used in the field: bfs, pr, cc, sssp and tc the kernels of the GAP benchmark suite;
cg, is, ft and mg those of the NAS parallel benchmarks; stream McCalpin's. They are other programs, and their results cannot be
compared with published ones. Inputs are drawn by SplitMix64, so they are the same everywhere.

## Generators

`hwmodel.cryo.generators` makes traces by a rule and a seed, at ten million instructions a second and more, without a compiler. A
pattern says what is touched, a body what instructions there are around it:

```python
>>> import tempfile
>>> from hwmodel.cryo.generators import Body, Chase, Mix, Stream, Zipf, addresses, generate
>>> reads = Mix((2, Stream("256 kB", arrays=2)), (1, Zipf("4 MB", exponent=0.99)), (1, Chase("512 kB")))
>>> body = Body(block=8, loads=0.3, stores=0.1, operations={"int": 2, "fp_fma": 1}, dependence=3, taken=0.4, period=0)
>>> meta = generate(tempfile.mkdtemp() + "/mix.hwt", reads, 100_000, body=body, seed=1)
>>> meta["instructions"]
100000
>>> [hex(a) for a in addresses(Stream("1 kB", arrays=2), 4)]
['0x10000000', '0x10000400', '0x10000008', '0x10000408']

```

| pattern | addresses |
|---|---|
| `Stream(size, arrays, element)` | arrays read together, from the start to the end, over and over |
| `Stride(size, stride)` | every `stride` bytes |
| `Chase(size)` | one random cycle through all lines; each load needs the one before |
| `Uniform(size, element)` | elements drawn with the same probability |
| `Zipf(size, exponent, element)` | elements drawn with probability rank ** -exponent, scattered in memory |
| `Stencil(rows, columns, element)` | five points around every inner point of a grid |
| `Mix((weight, pattern), ...)` | each load or store instruction belongs to one of the patterns |

The body is a ring of blocks. A block ends with a conditional branch, which passes over the next block where it is taken;
`taken` is how often that is, and with a `period` the branches repeat themselves and can be learned. `dependence` says how
many results back an instruction finds its operand: 1 is one long chain, 11 leaves much to do in parallel, 0 everything.
"""


def workloads_page() -> str:
    """The page of docs/reference on workloads and generators."""
    lines = ["| workload | parameter | default | values | what it is |", "|---|---|---|---|---|"]
    lines += [
        f"| {workload.name} | {name} | {p.show(p.default)} | {p.range.removeprefix('in ')} | {p.text} |"
        for workload in workloads.WORKLOADS.values()
        for name, p in workload.parameters.items()
    ]
    return WORKLOADS_PAGE.replace("{table}", workloads.table()).replace("{parameters}", "\n".join(lines))


def draw(target: Path) -> None:
    """Write the chart of time and energy over temperature as SVG."""
    from hwmodel.report import line_chart, save_chart

    kelvins = [4.0, 10.0, 20.0, 30.0, 40.0, 60.0, 77.0, *map(float, range(100, 301, 20))]
    small, large = Array("32 kB"), Array("16 MB")

    def over_kelvins(function: Callable[[float], float]) -> tuple[list[float], list[float]]:
        return kelvins, [function(kelvin) for kelvin in kelvins]

    figure = line_chart(
        {
            "32 kB, ns": over_kelvins(lambda t: access_time(small, t) / 1e6),
            "16 MB, ns": over_kelvins(lambda t: access_time(large, t) / 1e6),
            "32 kB, pJ": over_kelvins(lambda t: energy_with_cooling(small, t) * 1e12),
            "16 MB, pJ": over_kelvins(lambda t: energy_with_cooling(large, t) * 1e12),
        },
        title="SRAM of 22 nm: time of a read, and its energy from the wall",
        xlabel="temperature, K",
        ylabel="ns or pJ",
        yscale="log",
        markers=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        svg, _ = save_chart(figure, Path(folder) / "chart")
        target.write_bytes(svg.read_bytes())


FILES: dict[str, Callable[[], str]] = {
    "docs/reference/cryo-technology.md": page,
    "docs/reference/workloads.md": workloads_page,
}


if __name__ == "__main__":
    draw(ROOT / CHART)

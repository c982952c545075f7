"""The page of a composed run in a real browser: complete, quiet, and without any request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwmodel as hw
from hwmodel import hdl, sfq
from hwmodel.cryo.config import cryo_ooo
from hwmodel.cryo.engine import Doorbell, Mailbox, TracedCore
from hwmodel.cryo.trace import Op, TraceWriter
from hwmodel.kernel import Port, ProcessContext, Result, Trace
from hwmodel.report import Latency, View
from hwmodel.reservoir.chip import HashingChip, RealHash
from hwmodel.reservoir.chips import small_chip
from hwmodel.reservoir.job import Job
from hwmodel.units import GHz, MHz, format_time, ns, ps, us

from .browser import Browser, find_browser

INBOX, BELL = 0x1000_0000, 0x1000_1000
LINES = 4
STAGES = {"asic": "300 K", "features": "300 K", "readout": "77 K", "core": "77 K", "net": "4 K"}
WATCH = [
    "asic.result", "features.window", *(f"net.in{k}" for k in range(LINES)), "net.q", "features.count",
    "readout.y", "core.inbox", "core.commit", "core.stall", "core.frequency", "asic.frequency",
]  # fmt: skip
SECTIONS = ["warnings", "figures", "topology", "waveforms", "latencies", "statistics", "parameters", "run"]


def program(folder: Path) -> Path:
    """Take a message, work, ring: again and again."""
    path = folder / "loop.hwt"
    with TraceWriter(str(path), {"source": "a control loop", "has_pc": True}) as writer:
        take = writer.static(pc=0x400000, size=4, loads=1, load_size=8, destinations=[5])
        work = writer.static(pc=0x400004, size=4, op=Op.INT, sources=[5], destinations=[6])
        ring = writer.static(pc=0x400008, size=4, stores=1, store_size=8, sources=[6])
        for _ in range(1000):
            writer.write([take, work, ring], [INBOX, BELL])
    return path


def features(ctx: ProcessContext):  # type: ignore[no-untyped-def]
    """Answer each result of the chip with a burst of pulses."""
    number = 0
    while True:
        message = yield ctx.receive("hits")
        number += 1
        ctx.send("window", number)
        for slot in range(8):
            yield ctx.timeout(ps(100))
            for k in range(LINES):
                if message.value >> (k + slot) & 1:
                    ctx.send(f"line{k}")
        ctx.send("count", number % 256)


def netlist() -> sfq.Netlist:
    """Four lines merged into one."""
    net = sfq.Netlist("net")
    a, b, c, d = net.inputs(*(f"in{k}" for k in range(LINES)))
    both = net.merge(net.merge(a, b, policy="drop"), net.merge(c, d, policy="drop"), policy="drop")
    net.output("q", both)
    return net


def block() -> Any:
    """Twice the input, a cycle later."""
    pyrtl = pytest.importorskip("pyrtl")
    design = pyrtl.Block()
    with pyrtl.set_working_block(design):
        x, y, held = pyrtl.Input(8, "x"), pyrtl.Output(9, "y"), pyrtl.Register(9, "held")
        held.next <<= x + x
        y <<= held
    return design


def composed(folder: Path) -> hw.System:
    """Chip, process, pulses, RTL and core in a loop."""
    job = Job(8, 0x20000000, bytes(32), bytes(range(32)), 1_700_000_000, 0x17034219)
    chip = HashingChip(
        "asic",
        jobs=[job],
        spec=small_chip(cores=2, counter_bits=6, slots=2),
        oracle=RealHash(3),
        frequency="20 MHz",
        pll=False,
        baud=50_000_000,
        ticket_mask=1,
    )
    outputs = [Port("window", "out", "event"), Port("count", "out", "bits", 8)]
    outputs += [Port(f"line{k}", "out", "pulse") for k in range(LINES)]
    source = hw.Process("features", features, inputs=[Port("hits", "in", "event", 64)], outputs=outputs)
    readout = hdl.Rtl("readout", block(), clock=hw.Clock(MHz(500)), simulator="pyrtl")
    core = TracedCore(
        "core",
        str(program(folder)),
        cryo_ooo(GHz(100), "l1"),
        mailboxes={"inbox": Mailbox(INBOX, latency=ns(2), protocol="bits", width=9, depth=64)},
        doorbells={"frequency": Doorbell(BELL, value=lambda store: 18_000_000 + store.number % 8)},
    )
    system = hw.System(chip, source, netlist(), readout, core, name="a loop", seed=3)
    system.connect("asic.result", "features.hits", latency=ns(5))
    for k in range(LINES):
        system.connect(f"features.line{k}", f"net.in{k}", latency=ps(4770))
    system.connect("features.count", "readout.x", latency=ns(1))
    system.connect("readout.y", "core.inbox", latency=ns(3))
    system.connect("core.frequency", "asic.frequency", latency=ns(8))
    system.drive("asic.temperature", at=[us(1)], values=[25_000])
    return system


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("composed")


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return composed(folder).run(until=us(20), watch=WATCH, progress=False)


@pytest.fixture(scope="module")
def page(folder: Path, result: Result) -> Path:
    burst = result["features.window"].pulses()[0]
    return result.to_html(
        folder / "report.html",
        title="A loop over three temperatures",
        command="hwmodel run loop --seed 3",
        metrics={"decisions": len(result["core.inbox"])},
        groups=STAGES,
        views=[
            ("one step", burst - ns(10), burst + ns(50)),
            View("the burst", burst + ns(4), burst + ns(6), [f"net.in{k}" for k in range(LINES)]),
        ],
        latencies=[
            ("asic.result", "features.window"),
            ("readout.y", "core.inbox", "value"),
            Latency("asic.result", "asic.frequency", how="latest", label="around the loop"),
        ],
    )


@pytest.fixture(scope="module")
def executable() -> str:
    found = find_browser()
    if found is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on PATH; install the package chromium")
    return found


@pytest.fixture
def browser(executable: str, tmp_path: Path) -> Iterator[Browser]:
    running = Browser(executable, tmp_path / "profile")
    yield running
    running.close()


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (390, True)])
def test_the_page_opens_without_errors_and_asks_for_nothing(
    browser: Browser, page: Path, width: int, dark: bool
) -> None:
    browser.open(page, width, dark)
    assert browser.errors == []
    assert [url for url in browser.requests if not url.startswith("data:")] == [page.resolve().as_uri()]


def test_all_sections_are_shown(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.value("document.title") == "A loop over three temperatures"
    shown = "Array.from(document.querySelectorAll('main > section')).filter(s => s.offsetHeight > 20).map(s => s.id)"
    assert set(SECTIONS) <= set(browser.value(shown))
    dead = (
        "Array.from(document.querySelectorAll('nav a')).filter(a => !document.querySelector(a.hash)).length"
    )
    assert browser.value(dead) == 0
    assert browser.value("document.querySelectorAll('.waves svg.hw-plot').length") == 3
    assert browser.value("document.querySelectorAll('svg[role=img]:not(:has(> title))').length") == 0


def test_links_components_and_groups_are_drawn(browser: Browser, page: Path) -> None:
    browser.open(page)
    texts = "Array.from(document.querySelectorAll('.hw-topology text')).map(t => t.textContent)"
    found = browser.value(texts)
    wanted = {*STAGES, *STAGES.values(), "Rtl, 500 MHz", "TracedCore, 100 GHz", "4 links, 4.77 ns", "1×"}
    assert wanted <= set(found)
    assert "core → asic: 8 ns" in found


def click(browser: Browser, view: int, *names: str) -> None:
    for name in names:
        browser.value(f"document.querySelectorAll('[aria-label=\"{name}\"]')[{view}].click()")


def test_the_waveforms_zoom_without_errors(browser: Browser, page: Path) -> None:
    browser.open(page)
    text = "document.querySelectorAll('svg.hw-plot')[1].outerHTML"
    span = "Number(document.querySelectorAll('svg.hw-plot')[1].dataset.span)"
    click(browser, 1, "Show the whole view")
    before, whole = browser.value(text), browser.value(span)
    click(browser, 1, "Zoom in", "Later", "Zoom in", "Earlier")
    assert browser.value(span) == whole / 4
    assert browser.value(text) != before
    click(browser, 1, "Show the whole view")
    assert browser.value(text) == before
    assert browser.errors == []


@pytest.fixture(scope="module")
def crowded(folder: Path) -> tuple[Path, dict[str, list[int]]]:
    """A page with signals that are too crowded to draw, and their times in fs."""
    rng = np.random.default_rng(4)
    times = {
        name: np.sort(rng.integers(0, 10**12, count)) for name, count in (("few", 4000), ("many", 25_000))
    }
    word = np.arange(10**8, 10**12, 10**8)
    traces = {f"n.{name}": Trace(f"n.{name}", "pulse", t, np.zeros_like(t)) for name, t in times.items()}
    traces["n.word"] = Trace("n.word", "level", word, np.arange(len(word)) % 200, 8)
    run = Result(traces, {}, {"name": "crowded", "until_fs": 10**12}, "00")
    return run.to_html(folder / "crowded.html"), {name: t.tolist() for name, t in times.items()}


DRAWN = """
(() => {
  const plot = document.querySelector('svg.hw-plot'), pad = Number(plot.dataset.pad);
  const from = Number(plot.dataset.from), span = Number(plot.dataset.span), usable = plot.viewBox.baseVal.width - 2 * pad;
  return Array.from(plot.querySelectorAll('g[data-kind]')).map(row => {
    const path = row.querySelector('path.pulse');
    return {bars: !!row.querySelector('path.bars'), texts: Array.from(row.querySelectorAll('text'), t => t.textContent),
            t: path ? path.getAttribute('d').match(/M[0-9.]+/g).map(x => from + (x.slice(1) - pad) * span / usable) : []};
  });
})()
"""


def test_a_crowded_signal_is_drawn_pulse_by_pulse_when_zoomed_into(
    browser: Browser, crowded: tuple[Path, dict[str, list[int]]]
) -> None:
    page, times = crowded
    browser.open(page)
    assert [row["bars"] for row in browser.value(DRAWN)] == [True, True, True]
    click(browser, 0, *["Zoom in"] * 6)
    few = browser.value(DRAWN)[0]
    start, span = shown(browser)
    assert (few["bars"], span) == (False, 10**12 / 64)
    assert few["t"] == pytest.approx([t for t in times["few"] if start <= t <= start + span], abs=1)
    click(browser, 0, *["Zoom in"] * 3)
    word = browser.value(DRAWN)[2]
    start, span = shown(browser)
    inside = [f"0x{(n - 1) % 200:x}" for n in range(int(start // 10**8), int((start + span) // 10**8) + 1)]
    assert not word["bars"]
    assert len(inside) - 2 <= len(word["texts"]) <= len(inside)  # the outermost may lack the room
    assert " ".join(word["texts"]) in " ".join(inside)
    assert browser.errors == []


def shown(browser: Browser) -> tuple[float, float]:
    """Begin and length of the stretch that is shown, fs."""
    data = "document.querySelector('svg.hw-plot').dataset"
    return browser.value(f"Number({data}.from)"), browser.value(f"Number({data}.span)")


def test_beyond_the_exact_times_the_density_stays_and_the_page_says_so(
    browser: Browser, crowded: tuple[Path, dict[str, list[int]]]
) -> None:
    page, times = crowded
    browser.open(page)
    note = browser.value("document.querySelector('#waveforms .note').textContent")
    assert f"n.many from {format_time(times['many'][20_000])} only densities" in note
    click(browser, 0, *["Zoom in"] * 9)
    assert not browser.value(DRAWN)[1]["bars"]
    click(browser, 0, *["Later"] * 1000)
    assert shown(browser)[0] > times["many"][20_000]
    assert browser.value(DRAWN)[1]["bars"]
    assert browser.errors == []


def test_nothing_is_wider_than_a_phone(browser: Browser, page: Path) -> None:
    browser.open(page, width=390)
    browser.value("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert browser.value("document.documentElement.scrollWidth") <= 390


def test_the_keyboard_reaches_drawings_and_folded_tables(browser: Browser, page: Path) -> None:
    browser.open(page)
    seen = set()
    for _ in range(80):
        browser.press("Tab")
        seen.add(browser.value("document.activeElement.tagName + ' ' + document.activeElement.className"))
    assert {"DIV drawing topology", "DIV drawing waves", "SUMMARY ", "BUTTON "} <= seen


def test_the_dark_page_has_light_text(browser: Browser, page: Path) -> None:
    colour = "getComputedStyle(document.querySelector('.hw-topology .name')).fill"
    browser.open(page, dark=False)
    light = browser.value(colour)
    browser.open(page, dark=True)
    assert [sum(map(int, re.findall(r"\d+", text))) > 384 for text in (light, browser.value(colour))] == [
        False,
        True,
    ]


def test_errors_and_requests_would_be_seen(browser: Browser, tmp_path: Path) -> None:
    """The tests above can fail."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<img src='http://far.example/x.png'><script>console.error('said');</script><script>nothing();</script>",
        encoding="utf-8",
    )
    browser.open(bad)
    assert "http://far.example/x.png" in browser.requests
    assert any("said" in text for text in browser.errors)
    assert any("nothing is not defined" in text for text in browser.errors)
    assert any("ERR_NAME_NOT_RESOLVED" in text for text in browser.errors)


def test_the_file_refers_to_nothing_outside(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for attribute in re.findall(r"\b(?:src|href|srcset|poster|action|data)\s*=\s*[\"']([^\"']*)", text):
        assert attribute.startswith(("#", "data:")), attribute
    assert not re.search(r"@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|<iframe|<object|<embed", text)
    assert set(re.findall(r"https?://[^\s\"'<]*", text)) == {"http://www.w3.org/2000/svg"}


def test_the_run_is_exported_for_both_viewers(result: Result, tmp_path: Path) -> None:
    data = json.loads(result.to_perfetto(tmp_path / "trace.json").read_text(encoding="utf-8"))
    marks = [row for row in data["traceEvents"] if row["ph"] in "iC"]
    levels = sum(trace.kind == "level" for trace in result.traces.values())
    assert len(marks) == sum(map(len, result.traces.values())) + levels
    vcd = result.to_vcd(tmp_path / "waves.vcd").read_text(encoding="ascii")
    assert vcd.count("$var ") == len(result.traces)

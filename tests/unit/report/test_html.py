"""The HTML report: complete, self-contained, and safe against what a name may hold."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from hwmodel.errors import OutputError
from hwmodel.kernel import Result
from hwmodel.report import write_html

VOID = {"meta", "link", "img", "br", "hr", "input"}
LOADING = {"src", "href", "data", "action", "poster", "srcset", "xlink:href"}


class Page(HTMLParser):
    """Text, tags and attributes of a page; refuses unbalanced tags."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.tags, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if "style" not in self.stack and "script" not in self.stack:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


def page_of(path, run, **options):
    write_html(run, path, **options)
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def full(trace, manifest, result):
    traces = [trace("net.xor.q", t=[5000, 9000]), trace("core.addr", "level", [70_000], [5], 16)]
    return result(*traces, stats={"core.l1.miss_rate": 0.25, "net.xor.energy_aj": 512}, **manifest)


def test_page_holds_all_sections(tmp_path, full):
    page = page_of(
        tmp_path / "r.html", full, title="XOR", metrics={"margin_percent": 41.5}, source="a paper, fig. 3"
    )
    for text in ("XOR", "a paper, fig. 3", "Margin 41.5 %", "core.l1 › miss rate 0.25", "Seed 7", "python"):
        assert text.lower() in page.text.lower()
    assert [tag for tag, _ in page.tags].count("h1") == 1
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert {
        "warnings",
        "figures",
        "waveforms",
        "topology",
        "statistics",
        "parameters",
        "run",
        "manifest",
    } == set(ids)
    assert len(ids) == len(set(ids))


def test_contents_point_to_sections_that_exist(tmp_path, full):
    page = page_of(tmp_path / "r.html", full)
    ids = {attrs.get("id") for _, attrs in page.tags}
    targets = [attrs["href"][1:] for tag, attrs in page.tags if tag == "a"]
    assert targets
    assert set(targets) <= ids


def test_parameters_show_unit_and_source(tmp_path, full):
    text = page_of(tmp_path / "r.html", full).text
    assert "Delay 3.5 ps table 2 of the library" in text
    assert "Rate 1.5 GHz" in text


def test_what_a_component_tells_beyond_its_spec_is_shown(tmp_path, result):
    run = result(
        components=[{"path": "net", "type": "Netlist", "spec": {}, "ports": [], "cells": {"jtl": 4}}]
    )
    assert "Cells › JTL 4" in page_of(tmp_path / "r.html", run).text


def test_warnings_are_shown(tmp_path, full):
    assert "core.mailbox: read at half the rate of its writer" in page_of(tmp_path / "r.html", full).text


@pytest.mark.parametrize("given", ["argument", "manifest"])
def test_command_to_repeat_the_run(tmp_path, result, given):
    command = "hwmodel run xor --seed 1 --set a=b"
    run = result(command=command) if given == "manifest" else result()
    options = {"command": command} if given == "argument" else {}
    assert command in page_of(tmp_path / "r.html", run, **options).text


def test_page_loads_nothing(tmp_path, full):
    picture = tmp_path / "p.png"
    picture.write_bytes(b"\x89PNG....")
    page = page_of(tmp_path / "r.html", full, pictures=[picture])
    for tag, attrs in page.tags:
        for name in LOADING & set(attrs):
            assert attrs[name].startswith(("data:", "#")), (tag, name)
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"'<]*", text)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert "url(" not in text


def test_pictures_are_inside_with_their_captions(tmp_path, full):
    (tmp_path / "out_rate.svg").write_text("<svg/>")
    (tmp_path / "b.png").write_bytes(b"PNG")
    page = page_of(
        tmp_path / "r.html", full, pictures=[tmp_path / "out_rate.svg", (tmp_path / "b.png", "Bars & more")]
    )
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert [image["alt"] for image in images] == ["out rate", "Bars & more"]
    assert base64.b64decode(images[0]["src"].removeprefix("data:image/svg+xml;base64,")) == b"<svg/>"
    assert base64.b64decode(images[1]["src"].removeprefix("data:image/png;base64,")) == b"PNG"


@pytest.mark.parametrize(
    ("name", "message"), [("a.pdf", "only .svg and .png"), ("none.png", "check the path")]
)
def test_unusable_picture_is_refused_and_nothing_written(tmp_path, full, name, message):
    with pytest.raises(OutputError, match=re.escape(message)):
        write_html(full, tmp_path / "r.html", pictures=[tmp_path / name])
    assert not (tmp_path / "r.html").exists()


def test_hostile_text_stays_text(tmp_path, trace, result, manifest):
    evil = "</script><script>alert(1)</script>{{ 7*7 }}<img src=x onerror=alert(1)>"
    component = {
        "path": evil,
        "type": evil,
        "spec": {evil: evil},
        "ports": [{"name": evil, "direction": "in", "protocol": evil, "width": 1}],
    }
    run = result(trace(evil, t=[5]), stats={evil: evil}, fingerprint=evil, name=evil, runner=evil, created=evil,
                 components=[component], links=[{"source": evil, "target": evil, "latency_fs": 1}],
                 drives=[{evil: evil}], warnings=[evil], versions={evil: evil})  # fmt: skip
    page = page_of(tmp_path / "r.html", run, title=evil, source=evil, command=evil, metrics={evil: evil})
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "img" not in [tag for tag, _ in page.tags]
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert "{{ 7*7 }}" in page.text


def test_empty_result_is_a_page(tmp_path):
    page = page_of(tmp_path / "r.html", Result({}, {}, {}, ""))
    assert "No signals were watched" in page.text
    assert "script" not in [tag for tag, _ in page.tags]


def test_signal_without_pulses(tmp_path, trace, result):
    assert "n.quiet" in page_of(tmp_path / "r.html", result(trace("n.quiet"))).text


def test_signals_beyond_the_limit_are_counted(tmp_path, trace, result):
    run = result(*(trace(f"n.s{i}", t=[i]) for i in range(60)))
    assert "12 more signals are not drawn" in page_of(tmp_path / "r.html", run).text


def test_large_run_gives_a_small_page(tmp_path, trace, result):
    t = np.sort(np.random.default_rng(0).integers(0, 10**9, 10**6))
    traces = [trace(f"n.s{i}", t=t[i::47]) for i in range(47)]
    run = result(*traces, until=10**9, drives=[{"times": list(range(200_000))}])
    write_html(run, tmp_path / "r.html", metrics={f"m{i}": i for i in range(5000)})
    assert (tmp_path / "r.html").stat().st_size < 2_000_000


def test_numpy_values_in_metrics(tmp_path, result):
    metrics = {"latency_ps": np.float64(1.5), "count": np.int64(12345), "rates": np.array([0.5, 0.25])}
    text = page_of(tmp_path / "r.html", result(), metrics=metrics).text
    assert "Latency 1.5 ps" in text
    assert "Rates 0.5, 0.25" in text


def test_result_to_html_comes_here(tmp_path, full):
    assert full.to_html(tmp_path / "r.html", title="T") == tmp_path / "r.html"


def test_old_page_survives_a_failure(tmp_path, full):
    (tmp_path / "r.html").write_text("old")
    with pytest.raises(OutputError):
        write_html(full, tmp_path / "r.html", pictures=["no.png"])
    assert [file.name for file in tmp_path.iterdir()] == ["r.html"]
    assert (tmp_path / "r.html").read_text() == "old"

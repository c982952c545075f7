"""One HTML page about a run, complete in one file: nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwmodel.errors import OutputError
from hwmodel.kernel.files import write_text
from hwmodel.report._facts import Fact, flatten, show
from hwmodel.report._latency import LatencyFigures, Pair, latency_table
from hwmodel.report._latency_chart import render_latencies
from hwmodel.report._specs import Part, part_of, sources_of
from hwmodel.report._topology import draw_topology
from hwmodel.report._topology_parts import clock_of, group_of
from hwmodel.report._views import ViewLike, draw_views
from hwmodel.report._waves import count_text
from hwmodel.units import format_time

if TYPE_CHECKING:
    from jinja2 import Template

    from hwmodel.kernel import Result

__all__ = ["write_html"]

WIDTH = 1000  # px of drawings
MOST_MANIFEST = 300_000  # characters shown of the manifest
MOST_ROWS = 200  # of a table of links or stimuli
_WIDE = re.compile(r' width="([\d.]+)"')
MIME = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True)
class _Picture:
    caption: str
    uri: str


@dataclass(frozen=True)
class _Component:
    path: str
    kind: str
    clock: str
    group: str
    ports: str
    spec: Part


@dataclass(frozen=True)
class _Delay:
    name: str
    signals: str  # where the name does not say them
    how: str
    cells: tuple[str, ...]


def write_html(
    result: Result,
    path: str | Path,
    *,
    title: str = "",
    metrics: Mapping[str, Any] | None = None,
    pictures: Iterable[str | Path | tuple[str | Path, str]] = (),
    source: str = "",
    command: str = "",
    summary: Iterable[str] = (),
    signals: Iterable[str] | None = None,
    views: Iterable[ViewLike] = (),
    latencies: Iterable[Pair] = (),
    groups: Mapping[str, str] | None = None,
) -> Path:
    """Write a report of a run as one self-contained HTML file.

    It holds a summary, key figures, how to repeat the run, pictures, topology, waveforms, latencies, statistics, specs
    with their sources, warnings and the manifest.

    Parameters:
        result: a finished run.
        path: the file to write.
        title: the heading; the run's name if empty.
        metrics: key figures, nested as they come; the unit is read off the name (`energy_aj`).
        pictures: SVG or PNG files, each alone or with a caption: `("rates.svg", "Output rates")`.
        source: what the model follows, for example a paper with figure and page.
        command: what to type to repeat the run; the manifest's `command` if empty.
        summary: lines of plain text to begin with.
        signals: what the drawing of the whole run shows, in this order; None takes the first 48 traces.
        views: stretches that are drawn besides: `View`, (title, start, end) or (title, start, end, signals).
        latencies: pairs of signals, each a `Latency`, (source, target) or (source, target, how).
        groups: component to the name of its group in the topology; see `draw_topology`.

    Returns:
        The path of the file.

    Raises:
        OutputError: a picture cannot be read or is neither SVG nor PNG, or the file cannot be written.
        UnknownNameError: a signal that was not recorded, or a group for no component.
        ResultError: an empty view, or latencies that do not fit.

    Example:
        >>> from hwmodel.report import write_html
        >>> write_html(result, "report.html", views=[("one step", "10 us", "12 us")])  # doctest: +SKIP
    """
    content = _content(result, metrics or {}, pictures, groups or {})
    content |= _traces(result, signals, views, latencies)
    page = _template().render(
        title=title or str(result.manifest.get("name") or "Simulation report"),
        source=source,
        command=command or str(result.manifest.get("command") or ""),
        summary="\n".join(summary),
        **content,
    )
    write_text(path, page)
    return Path(path)


def _content(
    result: Result,
    metrics: Mapping[str, Any],
    pictures: Iterable[str | Path | tuple[str | Path, str]],
    groups: Mapping[str, str],
) -> dict[str, Any]:
    manifest = result.manifest
    components = [_component(c, groups) for c in (manifest.get("components") or [])[:MOST_ROWS]]
    specs = [component.spec for component in components]
    # Single figures are read at a glance; tables of them are folded away.
    single = {key: value for key, value in metrics.items() if not isinstance(value, Mapping | list | tuple)}
    nested = {key: value for key, value in metrics.items() if key not in single}
    return {
        "run": _run_facts(result),
        "versions": flatten(manifest.get("versions") or {}),
        "metrics": flatten(single),
        "more_metrics": flatten(nested),
        "pictures": [_load_picture(picture) for picture in pictures],
        "topology": (drawing := draw_topology(manifest, groups)),
        "topology_width": int(float(found[1])) if (found := _WIDE.search(drawing)) else 0,
        "links": _link_rows(manifest),
        "drives": [flatten(_mapping(drive), 20) for drive in (manifest.get("drives") or [])[:MOST_ROWS]],
        "stats": flatten({key: result.stats[key] for key in sorted(result.stats)}),
        "components": components,
        "sources": sources_of(specs),
        "estimates": sum(part.estimates for part in specs),
        "warnings": [str(warning) for warning in manifest.get("warnings") or []],
        "manifest": _manifest_text(manifest),
    }


def _traces(
    result: Result, signals: Iterable[str] | None, views: Iterable[ViewLike], latencies: Iterable[Pair]
) -> dict[str, Any]:
    table = latency_table(result, latencies)
    return {
        "views": draw_views(result, signals, views),
        "latencies": render_latencies(table, WIDTH) if table else "",
        "delays": [_delay(row) for row in table],
    }


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("hwmodel.report", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2")


def _run_facts(result: Result) -> list[Fact]:
    manifest = result.manifest
    window = manifest.get("window_fs")
    components, links = len(manifest.get("components") or []), len(manifest.get("links") or [])
    facts = [
        Fact("Simulated time", format_time(int(result.until))),
        Fact("Seed", str(manifest.get("seed", "–"))),
        Fact("System", f"{count_text(components, 'component')}, {count_text(links, 'link')}"),
        Fact("Window", format_time(window) if isinstance(window, int) else str(window or "–")),
        Fact("Windows run", show(manifest.get("windows"))),
        Fact("Runner", str(manifest.get("runner", "–"))),
        Fact("Made", str(manifest.get("created", "–"))),
        Fact("Fingerprint", str(result.fingerprint)),
    ]
    return [fact for fact in facts if fact.value != "–"]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {"drive": value}


def _load_picture(picture: str | Path | tuple[str | Path, str]) -> _Picture:
    file, caption = picture if isinstance(picture, tuple) else (picture, "")
    path = Path(file)
    mime = MIME.get(path.suffix.lower())
    if mime is None:
        raise OutputError(
            f"cannot put '{path}' into the report: only .svg and .png pictures; convert it first"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OutputError(
            f"cannot put '{path}' into the report: {error.strerror}; check the path of the picture"
        ) from error
    # As an image and not as markup: a picture's ids, styles and scripts cannot reach the page.
    uri = f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"
    return _Picture(caption or path.stem.replace("_", " ").replace("-", " "), uri)


def _link_rows(manifest: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    links = (manifest.get("links") or [])[:MOST_ROWS]
    return [
        (str(link.get("source", "")), str(link.get("target", "")), _latency(link.get("latency_fs")))
        for link in links
    ]


def _latency(value: Any) -> str:
    return "–" if value is None else format_time(int(value))


def _delay(row: LatencyFigures) -> _Delay:
    pair = row.pair
    how = pair.how + (f", offset {pair.offset}" if pair.offset else "")
    times = (row.minimum, row.median, row.p99, row.maximum) if row.count else ("–",) * 4
    cells = (show(row.count), *(str(t) for t in times), show(row.unanswered), show(row.unmatched))
    signals = f"{pair.source} → {pair.target}" if pair.label else ""
    return _Delay(pair.name, signals, how, cells)


def _component(component: Mapping[str, Any], groups: Mapping[str, str]) -> _Component:
    ports = component.get("ports") or []
    shown = [
        f"{port.get('name')} ({port.get('direction')}, {port.get('protocol')}"
        + (f", {port.get('width')} bits)" if (port.get("width") or 1) != 1 else ")")
        for port in ports[:60]
    ]
    if len(ports) > 60:
        shown.append(f"and {len(ports) - 60} more")
    spec = _mapping(component.get("spec") or {})
    # What a component says of itself beyond its spec, such as the count of its cells, comes after it.
    more = {key: value for key, value in component.items() if key not in ("path", "type", "spec", "ports")}
    path = str(component.get("path", ""))
    return _Component(
        path,
        str(component.get("type", "")),
        clock_of(spec),
        group_of(path, groups),
        ", ".join(shown),
        part_of({**spec, **more}),
    )


def _manifest_text(manifest: Mapping[str, Any]) -> str:
    text = json.dumps(manifest, indent=2, ensure_ascii=False, default=str)
    if len(text) > MOST_MANIFEST:
        left = len(text) - MOST_MANIFEST
        text = f"{text[:MOST_MANIFEST]}\n… {left} more characters: see manifest.json of the run"
    return text

"""The tables behind the models, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MappingProxyType

from hwmodel.cryo import _technology_tables as tables
from hwmodel.cryo._technology_catalogue import TECHNOLOGIES
from hwmodel.cryo._technology_memory import evaluate, format_size
from hwmodel.cryo._technology_models import (
    conducted_heat,
    cooling_overhead,
    copper_resistivity,
    crossing_time,
    drive_current,
    gate_leakage,
    mobility,
    subthreshold_leakage,
    threshold_voltage,
)
from hwmodel.errors import unknown
from hwmodel.units import format_time

__all__ = ["TABLES", "table"]

TEMPERATURES = (300.0, 200.0, 100.0, 77.0, 4.0)


def _markdown(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(columns)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _transistor() -> str:
    """What follows from the temperature, of wires and of 22 nm transistors."""
    quantities: tuple[tuple[str, Callable[[float], float], str], ...] = (
        ("copper, bulk, uOhm cm", copper_resistivity, tables.WIRES),
        ("copper, 40 nm x 80 nm, uOhm cm", lambda t: copper_resistivity(t, 40, 80), tables.WIRES),
        ("threshold, V", threshold_voltage, tables.THRESHOLD_SOURCE),
        ("mobility n, 14 nm, over 300 K", lambda t: mobility(t, 14), tables.MOBILITIES),
        ("mobility n, 100 nm, over 300 K", lambda t: mobility(t, 100), tables.MOBILITIES),
        ("mobility n, 3 um, over 300 K", lambda t: mobility(t, 3000), tables.MOBILITIES),
        ("Ion, 0.8 V / 0.5 V, uA/um", drive_current, tables.MOSFET),
        ("Ion, 0.44 V / 0.24 V, uA/um", lambda t: drive_current(t, True), tables.MOSFET),
        ("Isub, 0.8 V / 0.5 V, uA/um", subthreshold_leakage, tables.MOSFET),
        ("Isub, 0.44 V / 0.24 V, uA/um", lambda t: subthreshold_leakage(t, True), tables.MOSFET),
        ("Igate, 0.8 V, nA/um", gate_leakage, tables.MOSFET + "; 77 K value below"),
    )
    rows = ([name, *(f"{f(t):.4g}" for t in TEMPERATURES), source] for name, f, source in quantities)
    return _markdown(["quantity", *(f"{t:g} K" for t in TEMPERATURES), "source"], rows)


def _sram() -> str:
    """Constants of the SRAM fits, with the residual of every point in per cent."""
    rows = []
    for name, voltages in (("cmos-22nm", "0.8 / 0.5"), ("cmos-22nm-low-voltage", "0.44 / 0.24")):
        for quantity, fit in TECHNOLOGIES[name].fits.items():
            for kelvin, point in fit.points.items():
                terms = zip(point.constants, tables.TERMS[quantity], strict=True)
                formula = " + ".join(f"{c:g}" if term == "1" else f"{c:g} {term}" for c, term in terms if c)
                residuals = [f"{r:+.1f}" for r in point.residuals]
                rows.append([f"{quantity}, {fit.unit}", f"{kelvin} K", voltages, formula, *residuals])
    sizes = [f"{format_size(size)}, %" for size in tables.SIZES]
    return _markdown(["quantity", "temperature", "Vdd / Vth, V", "fit", *sizes], rows)


def _cacti() -> str:
    """CACTI at 300 K, and its ratio to the fit."""
    rows = []
    for size, access, energy, leakage in tables.CACTI:
        row = [format_size(size)]
        for quantity, value in (("access", access), ("energy", energy * 1e3), ("leakage", leakage)):
            ours = evaluate(quantity, tables.SRAM_08[quantity].points[300].constants, size / tables.SIZES[0])
            row += [f"{value:.4g}", f"{value / ours:.2f}"]
        rows.append(row)
    return _markdown(["size", "access, ns", "ratio", "read, pJ", "ratio", "leakage, mW", "ratio"], rows)


def _memories() -> str:
    """Numbers of the memories that have no fit."""
    rows = [
        [found.name, name, f"{value.value:.4g}", value.unit, value.source]
        for found in TECHNOLOGIES.values()
        for name, value in found.numbers.items()
    ]
    return _markdown(["technology", "quantity", "value", "unit", "source"], rows)


def _links() -> str:
    """Lines between the stages: flight time, and heat conducted by one ohm of metal."""
    rows = [
        [
            f"{cold:g} K to {warm:g} K",
            f"{length.value:g} m",
            format_time(crossing_time(cold, warm)),
            format_time(crossing_time(cold, warm, round_trip=True)),
            f"{conducted_heat(cold, warm, 1.0) * 1e3:.3g} mW",
            f"{length.source}; velocity 0.7 c: {tables.CABLE_VELOCITY.source}",
        ]
        for (cold, warm), length in tables.STAGES.items()
    ]
    return _markdown(["stages", "length", "one way", "round trip", "heat through 1 Ohm", "source"], rows)


def _cooling() -> str:
    """Watts of refrigeration for each watt of heat."""
    rows = [
        [
            name,
            f"{value.value:g}",
            f"{cooling_overhead(77, name):.3g}",
            f"{cooling_overhead(4.2, name):.3g}",
            value.source,
        ]
        for name, value in tables.COOLING.items()
    ]
    return _markdown(["preset", "share of Carnot", "77 K, W/W", "4.2 K, W/W", "source"], rows)


def _designs() -> str:
    """Superconducting designs that were published, for scale."""
    return _markdown(["design", "clock", "published", "source"], tables.DESIGNS)


TABLES = MappingProxyType(
    {
        "transistor": _transistor,
        "sram": _sram,
        "cacti": _cacti,
        "memories": _memories,
        "links": _links,
        "cooling": _cooling,
        "designs": _designs,
    }
)
"""Makers of the tables, by name."""


def table(name: str) -> str:
    """One of the tables as Markdown: transistor, sram, cacti, memories, links, cooling or designs.

    Raises:
        UnknownNameError: no such table.

    Example:
        >>> print(table("cooling"))
        | preset | share of Carnot | 77 K, W/W | 4.2 K, W/W | source |
        | --- | --- | --- | --- | --- |
        | ideal | 1 | 2.9 | 70.4 | the second law; no machine reaches it |
        ...
    """
    if name not in TABLES:
        raise unknown("table", name, TABLES)
    return TABLES[name]()

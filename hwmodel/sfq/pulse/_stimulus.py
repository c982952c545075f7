"""Pulse times from files: CSV, and the waveforms of other simulators (VCD)."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwmodel.errors import BareNumberError, StimulusError, unknown
from hwmodel.units import MAX_TIME, fs, to_fs, to_fs_array

if TYPE_CHECKING:
    from hwmodel._times import Times

_HEADER = re.compile(r"\s*(?P<name>.*?)\s*\[\s*(?P<unit>[^\]]*?)\s*\]\s*")
_DECIMAL = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?")


def read_stimulus(
    path: str | Path, toggle: bool = False, signals: Sequence[str] | None = None
) -> dict[str, Times]:
    """Read pulse times by wire name from a CSV or VCD file.

    A CSV file has either one column a wire, with the unit in its head (`a [ps],b [ps]`), or the two columns
    `signal,time [ps]`. Lines that begin with # are left out. A VCD file gives a pulse for every event of an event
    variable and every rising edge of a 1-bit variable; a level that is high in `$dumpvars` is no edge. Wires are
    named as in the file, with their scopes where the plain name occurs twice.

    Parameters:
        path: file that ends in .csv or .vcd.
        toggle: 1-bit variables of a VCD file change at every pulse, so that both edges count.
        signals: names to read; all of them if left out.

    Raises:
        StimulusError: the file is malformed; the message names file, line, value and remedy.
        UnknownNameError: the file has no signal of a name asked for.
    """
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".vcd"):
        raise StimulusError(f"{path}: unknown kind of file '{path.suffix}'; give a .csv or .vcd file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StimulusError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not data.strip():
        raise StimulusError(f"{path}: the file is empty; give pulse times")
    pulses = _Pulses(path, signals)
    if path.suffix.lower() == ".csv":
        _read_csv(pulses, data)
    else:
        _read_vcd(pulses, data, toggle)
    for name in signals or ():
        if name not in pulses.times:
            raise unknown(f"signal of {path}", name, pulses.times)
    return {name: fs(times) for name, times in pulses.times.items() if signals is None or name in signals}


def write_stimulus_csv(path: str | Path, stimulus: Mapping[str, object], unit: str = "ps") -> None:
    """Write pulse times, one column a wire, so that `read_stimulus` gives them back exactly.

    Parameters:
        stimulus: wire name -> times, such as `ps([5, 105])`.
        unit: unit of the numbers in the file.
    """
    scale = to_fs(f"1 {unit}", "unit")
    columns = {name: to_fs_array(times, name).tolist() for name, times in stimulus.items()}
    for name in columns:
        if name != name.strip() or not name or any(letter in name for letter in ',\n#"'):
            raise StimulusError(
                f"signal name {name!r} cannot be a CSV head; leave out spaces around it, commas, # and quotes"
            )
    lines = [",".join(f"{name} [{unit}]" for name in columns)]
    for row in range(max(map(len, columns.values()), default=0)):
        lines.append(",".join(_decimal(t[row], scale) if row < len(t) else "" for t in columns.values()))
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _decimal(t: int, scale: int) -> str:
    whole, rest = divmod(t, scale)
    digits = len(str(scale)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".") if rest else str(whole)


class _Pulses:
    """Times by signal, checked one by one as they are read."""

    def __init__(self, path: Path, wanted: Sequence[str] | None) -> None:
        self.path = path
        self.wanted = wanted
        self.times: dict[str, list[int]] = {}

    def add(self, name: str, t: int, line: int, shown: str) -> None:
        times = self.times.setdefault(name, [])
        if t < 0:
            raise self.error(line, f"'{name}' has a pulse at {shown}; times must not be negative")
        if t > MAX_TIME:
            raise self.error(
                line, f"'{name}' has a pulse at {shown}, beyond the 9,223 s that can be simulated"
            )
        if times and t == times[-1]:
            raise self.error(line, f"'{name}' has two pulses at {shown}; leave out one")
        if times and t < times[-1]:
            raise self.error(line, f"'{name}' has a pulse at {shown} after a later one; sort the times")
        times.append(t)

    def error(self, line: int, text: str) -> StimulusError:
        return StimulusError(f"{self.path}:{line}: {text}")


# ---------------------------------------------------------------------------------------------- CSV


def _read_csv(pulses: _Pulses, data: bytes) -> None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise pulses.error(
            line, f"byte {data[error.start]:#04x} is not UTF-8 text; save the file as UTF-8"
        ) from None
    rows = _csv_rows(pulses, text)
    head_line, head = next(rows, (1, []))
    if not head:
        raise StimulusError(f"{pulses.path}: only comments; give a head such as 'a [ps]' and pulse times")
    if len(head) == 2 and head[0].strip().lower() == "signal":
        _, scale, unit = _column(pulses, head_line, head[1])
        for line, row in rows:
            if len(row) != 2 or not row[0].strip():
                raise pulses.error(line, f"{','.join(row)!r} is not 'signal,time'")
            name = row[0].strip()
            pulses.add(
                name, _time(pulses, line, name, row[1].strip(), scale, unit), line, f"{row[1].strip()} {unit}"
            )
        return
    columns = [_column(pulses, head_line, text) for text in head]
    names = Counter(name for name, _, _ in columns)
    for name, count in names.items():
        if count > 1:
            raise pulses.error(head_line, f"{count} columns are named '{name}'; rename or join them")
        pulses.times[name] = []
    for line, row in rows:
        if len(row) > len(columns):
            raise pulses.error(line, f"{len(row)} values in a file of {len(columns)} columns")
        for (name, scale, unit), field in zip(columns, row, strict=False):
            if shown := field.strip():  # columns may have different lengths
                pulses.add(name, _time(pulses, line, name, shown, scale, unit), line, f"{shown} {unit}")


def _csv_rows(pulses: _Pulses, text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if any(field.strip() for field in row) and not row[0].lstrip().startswith("#"):
                yield reader.line_num, row
    except csv.Error as error:
        raise pulses.error(reader.line_num, f"not CSV: {error}") from None


def _column(pulses: _Pulses, line: int, text: str) -> tuple[str, int, str]:
    """Name, femtoseconds a unit, and unit of a column head such as `a [ps]`."""
    match = _HEADER.fullmatch(text)
    if match is None or not match["name"]:
        shown = text.strip() or "a"
        raise pulses.error(line, f"column head {text.strip()!r} names no unit; write '{shown} [ps]'")
    try:
        return match["name"], to_fs(f"1 {match['unit']}"), match["unit"]
    except BareNumberError:
        raise pulses.error(
            line, f"column '{match['name']}': unknown unit '{match['unit']}'; use fs, ps, ns, us, ms or s"
        ) from None


def _time(pulses: _Pulses, line: int, name: str, text: str, scale: int, unit: str) -> int:
    if not _DECIMAL.fullmatch(text):
        raise pulses.error(line, f"'{name}': {text!r} is not a number; give a time in {unit}")
    exact = Fraction(text) * scale
    if exact.denominator != 1:
        raise pulses.error(
            line,
            f"'{name}': {text} {unit} is {float(exact):.6g} fs, not a whole number of femtoseconds; round it",
        )
    return exact.numerator


# ---------------------------------------------------------------------------------------------- VCD


def _read_vcd(pulses: _Pulses, data: bytes, toggle: bool) -> None:
    from vcd.reader import VCDParseError, tokenize

    last = data.count(b"\n") + 1
    if not data.endswith(b"\n"):
        raise pulses.error(last, "the file is truncated: its last line has no end; write it again")
    reader = _VcdReader(pulses, toggle)
    try:
        for token in tokenize(io.BytesIO(data)):
            reader.take(token)
    except VCDParseError as error:
        raise pulses.error(error.loc.line, f"not VCD: {str(error).split(': ', 1)[-1]}") from None
    except UnicodeDecodeError:
        raise StimulusError(f"{pulses.path}: not VCD: it holds bytes that are not ASCII text") from None
    if not reader.defined:
        raise pulses.error(last, "the file is truncated: $enddefinitions is missing; write it again")


class _VcdReader:
    """Turns the tokens of a VCD file into pulses."""

    def __init__(self, pulses: _Pulses, toggle: bool) -> None:
        self.pulses = pulses
        self.toggle = toggle
        self.scale = 0  # fs a time step
        self.now = -1
        self.scopes: list[str] = []
        self.variables: list[tuple[str, str, Any]] = []  # scope, identifier code, declaration
        self.names: dict[str, list[str]] = {}  # identifier code -> signals
        self.events: set[str] = set()
        self.levels: dict[str, bool] = {}
        self.defined = False
        self.dumping = False

    def take(self, token: Any) -> None:
        from vcd.reader import TokenKind as Kind

        kind, line = token.kind, token.span.start.line
        if kind is Kind.TIMESCALE:
            scale = token.timescale
            self.scale = to_fs(f"{int(scale.magnitude)} {scale.unit.value}", "timescale")
        elif kind is Kind.SCOPE:
            self.scopes.append(token.scope.ident)
        elif kind is Kind.UPSCOPE:
            self.scopes = self.scopes[:-1]
        elif kind is Kind.VAR:
            self.variables.append((".".join(self.scopes), token.var.id_code, token.var))
        elif kind is Kind.ENDDEFINITIONS:
            self.define(line)
        elif kind is Kind.CHANGE_TIME:
            if not self.defined:
                raise self.pulses.error(
                    line, "a time before $enddefinitions; the head of the file is damaged"
                )
            if token.time_change < self.now:
                raise self.pulses.error(
                    line, f"time #{token.time_change} after #{self.now}; times must not fall"
                )
            self.now = token.time_change
        elif kind is Kind.DUMPVARS:
            self.dumping = True
        elif kind is Kind.END:
            self.dumping = False
        elif kind is Kind.CHANGE_SCALAR:
            self.change(token.scalar_change.id_code, token.scalar_change.value, line)
        elif kind is Kind.CHANGE_VECTOR and token.vector_change.id_code in self.names:
            self.change(token.vector_change.id_code, str(token.vector_change.value), line)

    def define(self, line: int) -> None:
        """Name the variables once all of them are known."""
        self.defined = True
        if not self.scale:
            raise self.pulses.error(line, "no $timescale; add one, such as '$timescale 1 fs $end'")
        plain = Counter(var.ref_str for _, _, var in self.variables)
        wanted = self.pulses.wanted
        for scope, code, var in self.variables:
            name = var.ref_str if plain[var.ref_str] == 1 or not scope else f"{scope}.{var.ref_str}"
            is_event = var.type_.value == "event"
            if wanted is not None and name not in wanted:
                continue
            if not is_event and (var.size != 1 or var.type_.value in ("real", "realtime", "string")):
                raise self.pulses.error(
                    line,
                    f"variable '{name}' is a {var.type_.value} of {var.size} bits, a pulse wire has 1; "
                    "name the wires to read, as in signals=['a', 'b']",
                )
            self.names.setdefault(code, []).append(name)
            self.pulses.times[name] = []
            if is_event:
                self.events.add(code)
        if not self.names:
            raise self.pulses.error(line, "no variables; a stimulus needs at least one $var")

    def change(self, code: str, value: str, line: int) -> None:
        if code not in self.names:
            if any(code == known for _, known, _ in self.variables):
                return
            raise self.pulses.error(
                line, f"value of an undeclared variable '{code}'; the head of the file is damaged"
            )
        level = value == "1"
        before = self.levels.get(code, False)
        first = self.dumping or self.now < 0
        self.levels[code] = level
        if first:
            return
        if code in self.events or (level and not before) or (self.toggle and level != before):
            for name in self.names[code]:
                self.pulses.add(name, self.now * self.scale, line, f"#{self.now}")

"""Verilog of an adder graph, sized word by word.

Each adder is written over just the places where it adds: lower places pass, and operands are extended by hand. A
table is subtracted inverted (acc - ~table = acc + table + 1; the graph's constants allow for the one), since
synthesizers put the subtrahend, but not always the addend, into the LUTs of the carry chain.
"""

from __future__ import annotations

from hwmodel.fixedpoint.adders._schedule import Schedule
from hwmodel.fixedpoint.adders._signals import Lookup, Segment, width_of

__all__ = ["verilog"]


def literal(value: int, width: int) -> str:
    """Sized hexadecimal constant in two's complement."""
    return f"{width}'h{value % (1 << width):x}"


def concat(*parts: str) -> str:
    """Concatenate what is not empty, highest first."""
    some = [part for part in parts if part]
    return some[0] if len(some) == 1 else "{" + ", ".join(some) + "}"


def repeat(bit: str, count: int) -> str:
    """Replicate a bit."""
    return "" if count <= 0 else f"{{{count}{{{bit}}}}}"


class _Writer:
    """The lines of one module."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.graph = schedule.graph
        self.lines: list[str] = []

    def take(self, signal: int, shift: int, low: int, count: int, stage: int) -> str:
        """Expression of `count` bits from place `low` of signal << shift, extended as its sign asks."""
        if count <= 0:
            return ""
        span = self.graph.signals.range_of(signal)
        if signal < 0 and not self.graph.lookups[-1 - signal].segments:
            return literal((span[0] << shift) >> low, count)
        width, name = width_of(span), self.schedule.name_of(signal, stage)
        zeros = min(max(shift - low, 0), count)
        first = max(low - shift, 0)
        here = max(min(width - first, count - zeros), 0)
        above = count - zeros - here
        top = f"{name}[{width - 1}]" if span[0] < 0 else "1'b0"
        if here == width:
            bits = name
        else:
            bits = f"{name}[{first + here - 1}:{first}]" if here else ""
        return concat(repeat(top, above), bits, repeat("1'b0", zeros))

    def look(self, index: int, stage: int) -> None:
        """Write the tables of a lookup, bit by bit."""
        lookup = self.graph.lookups[index]
        name, width = f"t{index}", lookup_width(lookup)
        self.lines.append(f"  wire [{width - 1}:0] {name};")
        end = 0
        for n, segment in enumerate(lookup.segments):
            self.zeros(name, end, segment.position)
            bits = [
                f"{self.schedule.name_of(s, stage)}[{b}]"
                for s, b in zip(segment.signals, segment.bits, strict=True)
            ]
            self.lines.append(
                f"  wire [{len(bits) - 1}:0] {name}_a{n} = {concat(*reversed(bits))};  // {formula(segment)}"
            )
            for k, truth in enumerate(truths(segment)):
                place = segment.position + k
                self.lines.append(f"  assign {name}[{place}] = {choice(truth, len(bits), f'{name}_a{n}')};")
            end = segment.position + segment.width

    def zeros(self, name: str, begin: int, end: int) -> None:
        """Tie the places between two tables to zero."""
        if end > begin:
            self.lines.append(
                f"  assign {name}[{end - 1}:{begin}] = {repeat(chr(49) + chr(39) + 'b0', end - begin)};"
            )

    def node(self, n: int) -> None:
        """Write one adder."""
        left, right, ls, rs, sign = self.graph.node_rows[n]
        signal = len(self.graph.input_ranges) + n
        width, stage = self.graph.signals.width_of(signal), self.schedule.stage_of(signal)
        for used in (left, right):
            if used < 0 and self.graph.lookups[-1 - used].segments:
                self.look(-1 - used, stage)
        if sign > 0 and rs < ls:
            left, right, ls, rs = right, left, rs, ls
        place = min(rs, width)
        count = width - place
        one, two = self.take(left, ls, place, count, stage), self.take(right, rs, place, count, stage)
        operator = "+" if sign > 0 else "-"
        lookup = self.graph.lookups[-1 - right] if right < 0 else None
        if lookup is not None and lookup.segments and lookup.constant == 1:
            operator = "-"
            tabled = min(lookup_width(lookup), count)
            two = concat(repeat("1'b1", count - tabled), f"~t{-1 - right}")
        name = self.schedule.name_of(signal, stage)
        below = self.take(left, ls, 0, place, stage)
        if not below:
            self.lines.append(f"  wire [{width - 1}:0] {name} = {one} {operator} {two};")
        elif count == 0:
            self.lines.append(f"  wire [{width - 1}:0] {name} = {below};")
        else:
            self.lines.append(f"  wire [{count - 1}:0] {name}_s = {one} {operator} {two};")
            self.lines.append(f"  wire [{width - 1}:0] {name} = {concat(name + '_s', below)};")

    def output(self, j: int) -> None:
        """Write the cast of one output; `y{j}_v` is what leaves, before its register."""
        signal, shift, sign = self.graph.output_rows[j]
        stage = self.schedule.last_stage
        width = self.graph.output_width(j)
        if signal < 0 and self.graph.lookups[-1 - signal].segments:
            self.look(-1 - signal, stage)
        word = self.take(signal, shift, 0, width, stage) if sign else literal(self.graph.bias[j], width)
        if sign < 0:
            word = f"{literal(0, width)} - {word}"
        self.lines.append(f"  wire [{width - 1}:0] y{j}_sum = {word};")
        out = width_of(self.schedule.output_range(j))
        self.lines.append(f"  wire [{out - 1}:0] y{j}_v = {self.clipped(j, width, out)};")

    def clipped(self, j: int, width: int, out: int) -> str:
        """Expression of the cast sum."""
        clip, name = self.schedule.clip, f"y{j}_sum"
        if clip is None:
            return name
        low, high = (end >> clip.shift for end in self.graph.output_range(j))
        signed = self.graph.output_range(j)[0] < 0
        top = f"{name}[{width - 1}]" if signed else "1'b0"
        # The shifted sum, long enough for its own range and for the output's.
        count = max(width_of((low, high)), out + (clip.low >= 0 > low))
        here = max(min(width - clip.shift, count), 0)
        bits = f"{name}[{clip.shift + here - 1}:{clip.shift}]" if here else ""
        self.lines.append(f"  wire [{count - 1}:0] y{j}_q = {concat(repeat(top, count - here), bits)};")
        value = f"y{j}_q[{out - 1}:0]" if count > out else f"y{j}_q"
        if high > clip.high:
            value = f"y{j}_over ? {literal(clip.high, out)} : {value}"
            self.lines.append(f"  wire y{j}_over = {self.beyond(j, count, clip.high, top)};")
        if low < clip.low:
            value = f"y{j}_under ? {literal(clip.low, out)} : {value}"
            self.lines.append(f"  wire y{j}_under = {self.beneath(j, count, clip.low, top)};")
        return value

    def beyond(self, j: int, count: int, limit: int, top: str) -> str:
        """Condition that the shifted sum exceeds a limit; for 2**k - 1 just a look at the high bits."""
        k = (limit + 1).bit_length() - 1
        if limit >= 0 and limit + 1 == 1 << k and k < count:
            return f"~{top} & (|y{j}_q[{count - 1}:{k}])" if top != "1'b0" else f"|y{j}_q[{count - 1}:{k}]"
        cast = "$signed" if top != "1'b0" else ""
        return f"{cast}(y{j}_q) > {signed_literal(limit, count, bool(cast))}"

    def beneath(self, j: int, count: int, limit: int, top: str) -> str:
        """Condition that the shifted sum is less than a limit; for 0 and -2**k just a look at the high bits."""
        k = (-limit).bit_length() - 1
        if limit == 0:
            return top
        if limit < 0 and -limit == 1 << k and k < count:
            return f"{top} & ~(&y{j}_q[{count - 1}:{k}])"
        cast = "$signed" if top != "1'b0" else ""
        return f"{cast}(y{j}_q) < {signed_literal(limit, count, bool(cast))}"


def signed_literal(value: int, width: int, signed: bool) -> str:
    """Constant for a comparison of `width` bits."""
    return literal(value, width).replace("'h", "'sh") if signed else literal(value, width)


def lookup_width(lookup: Lookup) -> int:
    """Bits of the word of tables."""
    last = lookup.segments[-1]
    return last.position + last.width


def truths(segment: Segment) -> list[int]:
    """Truth table of each output bit: bit a of it is the output for input word a."""
    table = segment.table()
    return [sum((value >> k & 1) << a for a, value in enumerate(table)) for k in range(segment.width)]


def choice(truth: int, bits: int, address: str) -> str:
    """Write a truth table as nested choices by its address bits, the highest first.

    Example:
        >>> choice(0b1000, 2, "a"), choice(0b0110, 2, "a")
        ("(a[1] ? a[0] : 1'b0)", '(a[1] ^ a[0])')
    """
    full = (1 << (1 << bits)) - 1
    if truth in (0, full):
        return "1'b1" if truth else "1'b0"
    if bits == 1:
        return f"{address}[0]" if truth == 2 else f"~{address}[0]"
    half = 1 << (bits - 1)
    high, low = truth >> half, truth & ((1 << half) - 1)
    below = choice(low, bits - 1, address)
    if high == low:
        return below
    if high ^ low == (1 << half) - 1:
        return f"({address}[{bits - 1}] ^ {below})"
    return f"({address}[{bits - 1}] ? {choice(high, bits - 1, address)} : {below})"


def formula(segment: Segment) -> str:
    """The table in words."""
    terms = "".join(f" {'-' if c < 0 else '+'} {abs(c)}*a[{k}]" for k, c in enumerate(segment.coefficients))
    return f"{-segment.offset}{terms}"


def register(lines: list[str], name: str, width: int, source: str) -> None:
    """Write a register."""
    lines.append(f"  reg [{width - 1}:0] {name};")
    lines.append(f"  always @(posedge clk) {name} <= {source};")


def verilog(schedule: Schedule) -> str:
    """Write the module of a scheduled adder graph.

    Its ports are `clk`, one input `x{i}` an input and one output `y{j}` an output, two's complement where the range
    has negative values. The header holds the hash of what the module follows from.

    Example:
        >>> from hwmodel.fixedpoint.adders import Schedule, adder_graph, verilog
        >>> text = verilog(Schedule(adder_graph([[3]], (4, True), lookups=0), name="triple"))
        >>> print([line for line in text.splitlines() if "n0" in line][-1].strip())
        wire [5:0] y0_sum = n0;
    """
    writer = _Writer(schedule)
    graph, lines = schedule.graph, writer.lines
    inputs = len(graph.input_ranges)
    for i, span in enumerate(graph.input_ranges):
        if schedule.register_inputs:
            register(lines, f"x{i}_r", width_of(span), f"x{i}")
    late = schedule.delays()
    for signal, stage in late:
        if signal < inputs:
            register(
                lines,
                schedule.name_of(signal, stage),
                graph.signals.width_of(signal),
                schedule.name_of(signal, stage - 1),
            )
    for n in range(len(graph.node_rows)):
        writer.node(n)
        for signal, stage in late:
            if signal == inputs + n:
                register(
                    lines,
                    schedule.name_of(signal, stage),
                    graph.signals.width_of(signal),
                    schedule.name_of(signal, stage - 1),
                )
    for j in range(len(graph.output_rows)):
        writer.output(j)
        if schedule.register_outputs:
            register(lines, f"y{j}_r", width_of(schedule.output_range(j)), f"y{j}_v")
        lines.append(f"  assign y{j} = y{j}_{'r' if schedule.register_outputs else 'v'};")
    return header(schedule) + "\n".join(lines) + "\nendmodule\n"


def header(schedule: Schedule) -> str:
    """The comment and the ports."""
    graph = schedule.graph
    ports = ["  input wire clk"]
    for name, (direction, width, signed) in schedule.ports.items():
        sign = "signed " if signed else ""
        ports.append(f"  {direction}put wire {sign}[{width - 1}:0] {name}")
    n, m = graph.weights.shape
    clip = schedule.clip
    cast = f", cast to clip(sum >> {clip.shift}, {clip.low}, {clip.high})" if clip else ""
    return (
        f"// {schedule.name}: y = x @ W + bias for a constant {n}x{m} matrix{cast}.\n"
        f"// {graph.adders} adders, depth {graph.depth}, latency {schedule.latency} cycles, a new input every cycle.\n"
        f"// Generated by hwmodel; do not edit. Specification SHA-256:\n// {schedule.fingerprint}\n"
        f"module {schedule.name} (\n" + ",\n".join(ports) + "\n);\n"
    )

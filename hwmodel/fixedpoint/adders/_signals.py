"""The values inside an adder graph: inputs, lookups and nodes, each with its exact or bounding range."""

from __future__ import annotations

from dataclasses import dataclass, field

from hwmodel.errors import SpecError

Form = dict[int, int]  # input -> coefficient
Row = tuple[int, int, int, int, int]  # left, right, left_shift, right_shift, sign
Range = tuple[int, int]

MAX_WIDTH = 1024  # a wider value is a slip in the weights rather than a design


@dataclass(frozen=True)
class Segment:
    """A table of up to `len(bits)` input bits at one place of a lookup.

    Its value is the sum of the coefficients of the bits that are set, less the smallest such sum, so
    it runs from 0 to the sum of their magnitudes; it counts in units of 2**position.
    """

    position: int
    signals: tuple[int, ...]
    bits: tuple[int, ...]
    coefficients: tuple[int, ...]

    @property
    def offset(self) -> int:
        """What was subtracted, in units of 2**position: the sum of the negative coefficients."""
        return sum(c for c in self.coefficients if c < 0)

    @property
    def width(self) -> int:
        """Bits of the largest value."""
        return sum(abs(c) for c in self.coefficients).bit_length()

    def table(self) -> list[int]:
        """Give the value for each word of bits, the first bit lowest.

        Example:
            >>> Segment(0, (0, 1), (0, 0), (3, -1)).table()
            [1, 4, 0, 3]
        """
        values = [-self.offset]
        for c in self.coefficients:
            values += [value + c for value in values]
        return values


@dataclass(frozen=True)
class Lookup:
    """Tables side by side in one word, `constant + sum(segment << position)`; without tables a constant."""

    segments: tuple[Segment, ...] = ()
    constant: int = 0

    @property
    def range(self) -> Range:
        """The smallest and the largest value."""
        top = sum(sum(abs(c) for c in s.coefficients) << s.position for s in self.segments)
        return self.constant, self.constant + top

    @property
    def bits(self) -> int:
        """LUTs of the tables: one a bit of output."""
        return sum(s.width for s in self.segments)


def width_of(span: Range) -> int:
    """Bits of a two's-complement or, where nothing is negative, unsigned word that holds the range."""
    low, high = span
    if low >= 0:
        return max(high.bit_length(), 1)
    return max(high.bit_length(), (-low - 1).bit_length()) + 1


def combine(left: Range, right: Range, shifts: tuple[int, int], sign: int) -> Range:
    """Range of (left << shift) + sign * (right << shift) for independent values."""
    low, high = left[0] << shifts[0], left[1] << shifts[0]
    a, b = sign * (right[0] << shifts[1]), sign * (right[1] << shifts[1])
    return low + min(a, b), high + max(a, b)


def adder_bits(left: Range, right: Range, shifts: tuple[int, int], sign: int, out: Range) -> int:
    """LUTs of one adder on a carry chain: the places where both operands have a bit to add.

    Below the higher operand's lowest bit the lower one passes; above an unsigned narrow operand only the
    carry runs on. A subtrahend must be inverted at each of its places and at all places above them.
    """
    (ls, rs), top = shifts, width_of(out)
    begin = max(ls, rs) if sign > 0 else rs
    ends = []
    for span, shift, inverted in ((left, ls, False), (right, rs, sign < 0)):
        ends.append(top if span[0] < 0 or inverted else shift + width_of(span))
    return max(min(*ends, top) - begin, 0)


@dataclass
class Signals:
    """Inputs, lookups and nodes while a graph grows. Lookup k has the reference -1 - k until the end."""

    input_ranges: list[Range]
    nodes: list[Row] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    forms: list[Form | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ranges = list(self.input_ranges)
        self.depths = [0] * len(self.ranges)
        self.forms = [{i: 1} for i in range(len(self.ranges))]

    def range_of(self, signal: int) -> Range:
        """Range of a signal or, below zero, of a lookup."""
        return self.ranges[signal] if signal >= 0 else self.lookups[-1 - signal].range

    def width_of(self, signal: int) -> int:
        """Bits of a signal or lookup."""
        return width_of(self.range_of(signal))

    def depth_of(self, signal: int) -> int:
        """Adders on the longest path to a signal."""
        if signal >= 0:
            return self.depths[signal]
        used = (s for segment in self.lookups[-1 - signal].segments for s in segment.signals)
        return max((self.depths[s] for s in used), default=0)

    def form_of(self, signal: int) -> Form | None:
        """The signal as a sum of inputs, or None where tables take part."""
        return self.forms[signal] if signal >= 0 else None

    def look(self, lookup: Lookup) -> int:
        """Add a lookup."""
        self.lookups.append(lookup)
        return -len(self.lookups)

    def preview(self, left: int, right: int, shifts: tuple[int, int], sign: int) -> tuple[Range, Form | None]:
        """Range and form that an adder would have."""
        one, two = self.form_of(left), self.form_of(right)
        if one is None or two is None:
            return combine(self.range_of(left), self.range_of(right), shifts, sign), None
        form = {i: c << shifts[0] for i, c in one.items()}
        for i, c in two.items():
            form[i] = form.get(i, 0) + sign * (c << shifts[1])
        return self.span(form), form

    def span(self, form: Form) -> Range:
        """Exact range of a weighted sum of the inputs."""
        low = high = 0
        for i, c in form.items():
            a, b = c * self.input_ranges[i][0], c * self.input_ranges[i][1]
            low, high = low + min(a, b), high + max(a, b)
        return low, high

    def add(self, left: int, right: int, left_shift: int, right_shift: int, sign: int) -> int:
        """Add the node (left << left_shift) + sign * (right << right_shift)."""
        out, form = self.preview(left, right, (left_shift, right_shift), sign)
        if width_of(out) > MAX_WIDTH:
            raise SpecError(
                f"adder graph: a sum of {width_of(out)} bits is wider than {MAX_WIDTH}; "
                "scale the weights or the inputs down"
            )
        self.nodes.append((left, right, left_shift, right_shift, sign))
        self.ranges.append(out)
        self.forms.append(form)
        self.depths.append(max(self.depth_of(left), self.depth_of(right)) + 1)
        return len(self.ranges) - 1

    def adder_cost(self, left: int, right: int, shifts: tuple[int, int], sign: int) -> int:
        """LUTs that an adder would take."""
        out, _ = self.preview(left, right, shifts, sign)
        return adder_bits(self.range_of(left), self.range_of(right), shifts, sign, out)

    def copy(self) -> Signals:
        """Give an independent copy."""
        new = Signals(self.input_ranges, list(self.nodes), list(self.lookups))
        new.ranges, new.depths, new.forms = list(self.ranges), list(self.depths), list(self.forms)
        return new

"""Quantisers of ONNX and QONNX models as formats: the scale is a power of two, the zero point 0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import frexp
from typing import TYPE_CHECKING

import numpy as np

from hwmodel.errors import SpecError
from hwmodel.fixedpoint._cast import cast_of, cast_route
from hwmodel.fixedpoint._format import MAX_WIDTH, Fixed
from hwmodel.fixedpoint._layers import BatchNorm, Requantize, Threshold
from hwmodel.fixedpoint._layers_base import Bound
from hwmodel.fixedpoint._onnx import Constant, Floats, Importer, Node, rounded_constant

if TYPE_CHECKING:
    from collections.abc import Callable

# Roundings of QONNX by the modes of ap_fixed. CEIL and UP have none.
ROUNDING_NAMES = {
    "ROUND": "RND_CONV",
    "HALF_EVEN": "RND_CONV",
    "FLOOR": "TRN",
    "DOWN": "TRN_ZERO",
    "ROUND_TO_ZERO": "TRN_ZERO",
    "HALF_UP": "RND_INF",
    "HALF_DOWN": "RND_ZERO",
}


@dataclass(frozen=True)
class Quantiser:
    """What a Quant node does: one format for the integers, and the fractional bits that its scales stand for."""

    integers: Fixed  # its int_bits equal its width
    frac_bits: Floats  # 0-dimensional, or of a shape that broadcasts over a constant
    bipolar: bool = False

    @property
    def fmt(self) -> Fixed:
        """The format for one scale."""
        whole, frac_bits = self.integers, int(self.frac_bits.reshape(-1)[0])
        return Fixed(whole.width, whole.width - frac_bits, whole.signed, whole.rounding, whole.overflow)

    def on_constant(self, constant: Constant) -> Constant:
        """Quantise a constant; scales may differ from channel to channel."""
        unit = np.exp2(-self.frac_bits)
        if self.bipolar:
            return Constant(np.where(constant.values >= 0, 1.0, -1.0) * unit)
        values = rounded_constant(constant.values / unit, self.integers) * unit
        return Constant(np.asarray(values), self.fmt if self.frac_bits.size == 1 else None)


def frac_bits_of(node: Node, scales: Floats) -> Floats:
    """Give the f of each scale 2**-f."""
    for scale in scales.reshape(-1):
        if not np.isfinite(scale) or scale <= 0 or frexp(scale)[0] != 0.5:
            node.refuse(
                f"its scale {scale:g} is no power of two; train or export it with power-of-two scales"
            )
    return np.asarray(1.0 - np.frexp(scales)[1])


def _zero(importer: Importer, node: Node, index: int, what: str = "zero point") -> None:
    if index < len(node.inputs) and node.inputs[index]:
        values = importer.constant(node, index, what).values
        if values.any():
            node.refuse(
                f"its {what} {values.reshape(-1)[:4].tolist()} is not 0; export it with symmetric quantisers"
            )


def _bits(importer: Importer, node: Node, index: int, what: str = "bit width") -> int:
    bits = importer.scalar(node, index, what)
    if bits != int(bits) or not 1 <= bits <= MAX_WIDTH:
        node.refuse(
            f"its {what} {bits:g} is no whole number from 1 to {MAX_WIDTH}; export it with whole bits"
        )
    return int(bits)


def _integers(node: Node, bits: int, default_rounding: str) -> Fixed:
    signed, narrow = bool(node.get("signed", 1)), bool(node.get("narrow", 0))
    if narrow and not signed:
        node.refuse(
            "narrow=1 with signed=0 leaves out the greatest number, which no format does; export narrow=0"
        )
    return Fixed(bits, bits, signed, _rounding(node, default_rounding), "SAT_SYM" if narrow else "SAT")


def _rounding(node: Node, default: str) -> str:
    given = str(node.get("rounding_mode", default)).upper()
    if given not in ROUNDING_NAMES:
        node.refuse(
            f"rounding_mode={given!r} has no counterpart in ap_fixed; take one of {', '.join(ROUNDING_NAMES)}"
        )
    return ROUNDING_NAMES[given]


# --------------------------------------------------------------------------------------------- reading quantisers


def quant(importer: Importer, node: Node) -> Quantiser:
    """Read a Quant node: tensor, scale, zero point, bit width."""
    _zero(importer, node, 2)
    integers = _integers(node, _bits(importer, node, 3), "ROUND")
    frac_bits = frac_bits_of(node, importer.constant(node, 1, "scale").values)
    # The operator's definition makes a signed bit -1 or +1, as BipolarQuant does.
    return Quantiser(integers, frac_bits, bipolar=integers.width == 1 and integers.signed)


def bipolar_quant(importer: Importer, node: Node) -> Quantiser:
    """Read a BipolarQuant node: tensor, scale."""
    frac_bits = frac_bits_of(node, importer.constant(node, 1, "scale").values)
    return Quantiser(Fixed(1, 1), frac_bits, bipolar=True)


def quantize_linear(importer: Importer, node: Node) -> Quantiser:
    """Read a QuantizeLinear node: tensor, scale, zero point, whose type is that of the integers."""
    _zero(importer, node, 2)
    given = node.get("output_dtype", 0)
    if len(node.inputs) > 2 and node.inputs[2]:
        given = importer.element_types.get(node.inputs[2], 0)
    kind = importer.onnx.TensorProto.DataType.Name(given) if given else "UINT8"
    sign, _, bits = kind.partition("INT")
    if sign not in ("", "U") or not bits.isdigit():
        node.refuse(f"it casts to {kind}; integers are supported")
    scales = importer.constant(node, 1, "scale").values
    integers = Fixed(int(bits), int(bits), sign == "", "RND_CONV", "SAT")
    return Quantiser(integers, frac_bits_of(node, scales))


READERS: dict[str, Callable[[Importer, Node], Quantiser]] = {
    "Quant": quant,
    "IntQuant": quant,
    "BipolarQuant": bipolar_quant,
    "QuantizeLinear": quantize_linear,
}


def input_format(importer: Importer, entry: str) -> Fixed:
    """Give the format of the quantiser that alone reads the model's input."""
    readers = importer.readers.get(entry, [])
    reads = [f"{node}" for node in readers]
    if len(readers) != 1 or readers[0].kind not in READERS:
        raise SpecError(
            f"the input '{entry}' is read by {', '.join(reads) or 'nothing'}, and its format is not known; "
            "pass input=Fixed(...), or begin the model with one quantiser"
        )
    quantiser = READERS[readers[0].kind](importer, readers[0])
    if quantiser.bipolar or quantiser.frac_bits.size != 1:
        readers[0].refuse("it gives the input no format of its own; pass input=Fixed(...)")
    return quantiser.fmt


# --------------------------------------------------------------------------------------------- handlers


def import_quant(importer: Importer, node: Node) -> None:
    """Import Quant, IntQuant and BipolarQuant."""
    _quantise(importer, node, READERS[node.kind](importer, node))


def _check_scales(node: Node, scales: tuple[int, ...], values: tuple[int, ...]) -> None:
    """Refuse scales that do not broadcast over a constant."""
    padded = (1,) * (len(values) - len(scales)) + scales
    if len(scales) > len(values) or any(s not in (1, n) for s, n in zip(padded, values, strict=True)):
        node.refuse(f"its scale has shape {scales}, which does not fit a constant of shape {values}")


def _quantise(importer: Importer, node: Node, quantiser: Quantiser) -> None:
    if node.inputs[0] in importer.constants:
        constant = importer.constants[node.inputs[0]]
        _check_scales(node, quantiser.frac_bits.shape, constant.values.shape)
        result = quantiser.on_constant(constant)
        importer.set_constant(node, result.values, result.fmt)
        return
    if quantiser.frac_bits.size != 1:
        node.refuse(
            f"its scale has shape {quantiser.frac_bits.shape}; for activations one scale is supported"
        )
    source = importer.source(node)
    if quantiser.bipolar:
        frac_bits = int(quantiser.frac_bits.reshape(-1)[0])
        layer = Threshold(
            importer.name_for(node),
            (source,),
            levels=np.zeros(1, np.int64),
            levels_fmt=Fixed(1, 1, signed=False),
            values=(-1, 1),
            output=Fixed(2, 2 - frac_bits),
        )
        importer.add(node, layer)
        return
    if source in importer.types and importer.types[source].fmt == quantiser.fmt:
        importer.alias(node)
        return
    before = importer.only_reader(node)
    if before is not None:
        importer.change(node, before, is_open=False, output=quantiser.fmt)
    else:
        importer.add(node, Requantize(importer.name_for(node), (source,), output=quantiser.fmt))


def import_quantize_linear(importer: Importer, node: Node) -> None:
    """Import QuantizeLinear: the graph keeps the value, DequantizeLinear must undo the scale."""
    quantiser = quantize_linear(importer, node)
    if node.inputs[0] in importer.constants:
        frac_bits = _check_axis(importer, node, quantiser.frac_bits)
        result = replace(quantiser, frac_bits=frac_bits).on_constant(importer.constants[node.inputs[0]])
        importer.set_constant(node, result.values * np.exp2(frac_bits))
        return
    _quantise(importer, node, quantiser)
    importer.unscaled[node.outputs[0]] = int(quantiser.frac_bits.reshape(-1)[0])


def import_clip(importer: Importer, node: Node) -> None:
    """Import Clip of constants, and of the integers of QuantizeLinear to those of fewer bits."""
    low, high = (importer.scalar(node, k, what) for k, what in ((1, "minimum"), (2, "maximum")))
    if node.inputs[0] in importer.constants:
        values = importer.constants[node.inputs[0]].values
        importer.set_constant(node, np.asarray(np.clip(values, low, high)))
        return
    if node.inputs[0] not in importer.unscaled:
        node.refuse("only what QuantizeLinear gave can be clipped; use Relu, or a Quant with fewer bits")
    frac_bits, source = importer.unscaled[node.inputs[0]], importer.source(node)
    width = max(int(high), -int(low) - 1, 0).bit_length() + (low < 0)
    fmt = importer.types[source].fmt
    ends = {(-(2 ** (width - 1)), "SAT"), (1 - 2 ** (width - 1), "SAT_SYM")} if low < 0 else {(0, "SAT")}
    overflow = dict(ends).get(int(low))
    if overflow is None or int(high) != 2 ** (width - (low < 0)) - 1 or (low, high) != (int(low), int(high)):
        node.refuse(f"{low:g} to {high:g} is the range of no whole number of bits; export it with such a one")
    target = Fixed(width, width - frac_bits, low < 0, fmt.rounding, overflow)
    importer.add(node, Requantize(importer.name_for(node), (source,), output=target))
    importer.unscaled[node.outputs[0]] = frac_bits


def import_dequantize_linear(importer: Importer, node: Node) -> None:
    """Import DequantizeLinear of a constant, or of what QuantizeLinear gave with the same scale."""
    _zero(importer, node, 2)
    frac_bits = frac_bits_of(node, importer.constant(node, 1, "scale").values)
    tensor = node.inputs[0]
    if tensor in importer.constants:
        frac_bits = _check_axis(importer, node, frac_bits)
        values = importer.constants[tensor].values * np.exp2(-frac_bits)
        fmt = None
        kind = importer.onnx.TensorProto.DataType.Name(importer.element_types.get(tensor, 1))
        sign, _, bits = kind.partition("INT")
        if sign in ("", "U") and bits.isdigit() and frac_bits.size == 1:
            fmt = Fixed(int(bits), int(bits) - int(frac_bits.reshape(-1)[0]), sign == "")
        importer.set_constant(node, values, fmt)
        return
    if tensor not in importer.unscaled:
        node.refuse(f"its input '{tensor}' comes from no QuantizeLinear; put one before it")
    if frac_bits.size != 1 or int(frac_bits.reshape(-1)[0]) != importer.unscaled[tensor]:
        node.refuse("its scale is not that of the QuantizeLinear before it; export both with one scale")
    importer.alias(node)


def _check_axis(importer: Importer, node: Node, frac_bits: Floats) -> Floats:
    """Shape scales of a constant's channels so that they broadcast along the node's axis."""
    if frac_bits.size == 1:
        return frac_bits
    values, axis = importer.constants[node.inputs[0]].values, int(node.get("axis", 1))
    if frac_bits.ndim != 1 or not -values.ndim <= axis < values.ndim or values.shape[axis] != frac_bits.size:
        node.refuse(f"scales of shape {frac_bits.shape} do not fit axis {axis} of shape {values.shape}")
    shape = [1] * values.ndim
    shape[axis] = frac_bits.size
    return frac_bits.reshape(shape)


def import_trunc(importer: Importer, node: Node) -> None:
    """Import Trunc in both of its forms.

    With five inputs the integers are divided by 2**(bits in - bits out) and keep their scale; with seven they are
    cast to an output scale and clipped to the output's bits.
    """
    _zero(importer, node, 2)
    source = importer.source(node)
    frac_bits = int(frac_bits_of(node, np.asarray(importer.scalar(node, 1, "scale"))))
    kind = importer.types[source]
    if kind.fmt.frac_bits > frac_bits:
        node.refuse(
            f"its input has {kind.fmt.frac_bits} fractional bits and its scale {frac_bits}; put a Quant of that scale before it"
        )
    if len(node.inputs) > 5:
        _zero(importer, node, 5, "output zero point")
        whole = _integers(node, _bits(importer, node, 6, "output bit width"), "FLOOR")
        scale = np.asarray(importer.scalar(node, 4, "output scale"))
        target = Quantiser(whole, frac_bits_of(node, scale)).fmt
        importer.add(node, Requantize(importer.name_for(node), (source,), output=target))
        return
    bits_in, bits_out = (
        _bits(importer, node, 3, "input bit width"),
        _bits(importer, node, 4, "output bit width"),
    )
    drop = bits_in - bits_out
    if drop < 0:
        node.refuse(f"it widens {bits_in} bits to {bits_out}; a truncation gives fewer")
    target = _divided(kind.fmt, frac_bits, drop, _rounding(node, "FLOOR"))
    channels = kind.shape[0]
    importer.add(
        node,
        BatchNorm(
            importer.name_for(node),
            (source,),
            scale=np.ones(channels, np.int64),
            scale_fmt=Fixed(1, 1 - drop, signed=False),
            shift=np.zeros(channels, np.int64),
            shift_fmt=Fixed(1, 1, signed=False),
            output=target,
        ),
    )


def _divided(fmt: Fixed, frac_bits: int, drop: int, rounding: str) -> Fixed:
    """The narrowest format with so many fractional bits for numbers of a format divided by 2**drop."""
    wide = Fixed(fmt.width + 2 + max(frac_bits - fmt.frac_bits, 0), fmt.width, rounding=rounding)
    wide = Fixed(wide.width, wide.width - frac_bits, rounding=rounding)
    ends = cast_route(np.array([fmt.min_raw, fmt.max_raw], object), cast_of(fmt.frac_bits + drop, wide))
    least = Bound(int(ends[0]), int(ends[1]), frac_bits).fmt
    return Fixed(least.width, least.int_bits, least.signed, rounding, "SAT")

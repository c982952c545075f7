"""Import of ONNX and QONNX models: every tensor gets a format, and between casts nothing is lost.

A model in floats says where numbers are rounded only at its quantisers. Between them the graph keeps every bit, so
its result is what exact arithmetic makes of the model.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from hwmodel.errors import FormatError, SpecError, ToolError
from hwmodel.fixedpoint._float import dequantize, quantize
from hwmodel.fixedpoint._fold import exact_format, fitting_format
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._graph import Graph
from hwmodel.fixedpoint._layers_base import INPUT, MAX_NAME, Layer, TensorType
from hwmodel.fixedpoint._raw import Raws, as_format

EXACT_BITS = 32  # a float constant that so many bits hold exactly is taken as it is

STANDARD = ("", "ai.onnx")  # domains
QUANTISERS = (
    "Quant",
    "IntQuant",
    "BipolarQuant",
    "Trunc",
)  # operators of QONNX, whose domain has had many names

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant tensor: its values, and its format where a quantiser gave one."""

    values: Floats
    fmt: Fixed | None = None


@dataclass(frozen=True)
class Node:
    """One node of a model, with its attributes at hand."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    place: int
    domain: str = ""

    def __str__(self) -> str:
        """How errors name the node."""
        return f"node '{self.name}' ({self.kind})" if self.name else f"node {self.place} ({self.kind})"

    def refuse(self, why: str) -> NoReturn:
        """Raise the error of this node."""
        raise SpecError(f"{self}: {why}")

    def get(self, key: str, default: Any) -> Any:
        """Give an attribute."""
        value = self.attributes.get(key, default)
        return value.decode() if isinstance(value, bytes) else value

    def only(self, key: str, *allowed: Any, default: Any) -> None:
        """Refuse an attribute that is none of those allowed."""
        value = self.get(key, default)
        if value not in allowed:
            self.refuse(f"{key}={value!r} is not supported; export it with {' or '.join(map(repr, allowed))}")


def import_onnx(
    model: Any,
    input: Fixed | str | None = None,  # noqa: A002  the name of the graph's field
    *,
    constant_bits: int | None = None,
    shape: tuple[int, ...] | None = None,
    name: str | None = None,
) -> Graph:
    """Read an ONNX or QONNX model as a graph of exact layers.

    Parameters:
        model: path of a file, or an `onnx.ModelProto`.
        input: format of the model's input; None takes that of the quantiser which alone reads the input.
        constant_bits: bits to which constants without a quantiser are rounded, each tensor with the binary point
            that fits it; None refuses such constants unless 32 bits hold them exactly.
        shape: shape of the input without the batch, where the model leaves sizes open.
        name: of the graph; None takes the model's.

    Returns:
        The graph. What the quantisers of the model cast to becomes the formats of its layers.

    Source: ONNX operators; QONNX operators Quant, BipolarQuant and Trunc.

    Raises:
        ToolError: where the package `onnx` is missing.
        SpecError: for an operator, an attribute or a scale that has no exact counterpart, by the node's name.
    """
    onnx = _package()
    importer = Importer(onnx, _loaded(onnx, model), constant_bits)
    return importer.run(None if input is None else as_format(input, "input"), shape, name)


def _package() -> Any:
    try:
        return import_module("onnx")
    except ImportError as error:
        raise ToolError("import_onnx needs the package `onnx`: pip install 'hwmodel[onnx]'") from error


def _loaded(onnx: Any, model: Any) -> Any:
    if not isinstance(model, str | os.PathLike):
        if not hasattr(model, "graph"):
            raise SpecError(f"model={model!r} is neither a path nor an onnx.ModelProto")
        return model
    path = Path(model)
    try:
        loaded = onnx.load(str(path))
    except FileNotFoundError:
        raise SpecError(f"'{path}': no such model; give the path of an .onnx file") from None
    except Exception as error:  # the parser raises classes of its own
        raise SpecError(f"'{path}' is no ONNX model, or damaged ({error}); export it anew") from error
    if not loaded.graph.node:
        raise SpecError(f"'{path}' is no ONNX model, or holds no nodes; export it anew")
    return loaded


class Importer:
    """The state of one import: constants, the layers so far, and which layer makes which tensor."""

    def __init__(self, onnx: Any, model: Any, constant_bits: int | None) -> None:
        self.onnx, self.proto, self.constant_bits = onnx, model.graph, constant_bits
        self.constants = {
            t.name: Constant(self._array(t, f"initialiser '{t.name}'")) for t in self.proto.initializer
        }
        # Element types of constants as they stand in the model; zero points carry meaning by theirs.
        self.element_types = {t.name: int(t.data_type) for t in self.proto.initializer}
        self.made: dict[str, str] = {}  # tensor -> layer that makes it
        self.layers: dict[str, Layer] = {}
        self.types: dict[str, TensorType] = {}
        self.open: set[str] = set()  # layers whose output keeps every bit, and which may still take a cast
        self.unscaled: dict[
            str, int
        ] = {}  # results of QuantizeLinear -> fractional bits that its scale takes off
        self.nodes = self._needed(
            [
                Node(
                    n.op_type,
                    n.name,
                    tuple(n.input),
                    tuple(n.output),
                    {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute},
                    place,
                    n.domain,
                )
                for place, n in enumerate(self.proto.node)
            ]
        )
        self.readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for tensor in node.inputs:
                self.readers.setdefault(tensor, []).append(node)

    def _array(self, tensor: Any, what: str) -> Floats:
        try:
            array = np.asarray(self.onnx.numpy_helper.to_array(tensor))
            return array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise SpecError(f"{what} holds no numbers that can be read ({error})") from error

    def _needed(self, nodes: list[Node]) -> list[Node]:
        """Nodes that lead to the output."""
        if len(self.proto.output) != 1:
            names = [o.name for o in self.proto.output]
            raise SpecError(f"the model has {len(names)} outputs {names}; export it with one")
        wanted, kept = {self.proto.output[0].name}, []
        for node in reversed(nodes):
            if wanted.intersection(node.outputs):
                wanted.update(node.inputs)
                kept.append(node)
        return kept[::-1]

    # ----------------------------------------------------------------------------------------- the whole

    def run(self, fmt: Fixed | None, shape: tuple[int, ...] | None, name: str | None) -> Graph:
        """Import all nodes."""
        from hwmodel.fixedpoint._onnx_ops import HANDLERS
        from hwmodel.fixedpoint._onnx_quant import input_format

        entry = self._entry()
        kind = TensorType(self._shape(entry, shape), fmt or input_format(self, entry.name))
        self.made[entry.name], self.types[INPUT] = INPUT, kind
        for node in self.nodes:
            handler = HANDLERS.get(node.kind)
            if node.domain not in STANDARD and node.kind not in QUANTISERS:
                node.refuse(
                    f"its domain '{node.domain}' is not that of ONNX; replace it by standard operators"
                )
            if handler is None:
                node.refuse(f"this operator is not supported; known are {', '.join(sorted(HANDLERS))}")
            self._check_inputs(node)
            handler(self, node)
        last = self.proto.output[0].name
        if last in self.unscaled:
            raise SpecError(
                f"the output '{last}' comes from QuantizeLinear; put a DequantizeLinear behind it"
            )
        if self.made.get(last, INPUT) == INPUT:
            raise SpecError(f"the output '{last}' depends on no layer; there is nothing to import")
        title = name or _identifier(self.proto.name or "model", set())
        return Graph(title, kind, tuple(self.layers.values()), self.made[last])

    def _entry(self) -> Any:
        entries = [i for i in self.proto.input if i.name not in self.constants]
        if len(entries) != 1:
            raise SpecError(
                f"the model has {len(entries)} inputs {[e.name for e in entries]}; export it with one"
            )
        return entries[0]

    def _shape(self, entry: Any, given: tuple[int, ...] | None) -> tuple[int, ...]:
        sizes = [int(d.dim_value) for d in entry.type.tensor_type.shape.dim][1:]
        if given is not None:
            if sizes and (
                len(sizes) != len(given) or any(s not in (0, g) for s, g in zip(sizes, given, strict=True))
            ):
                raise SpecError(
                    f"shape={given} does not fit the input '{entry.name}', {tuple(sizes)}; correct it"
                )
            return tuple(given)
        if not sizes or 0 in sizes:
            raise SpecError(
                f"the input '{entry.name}' leaves sizes open, {sizes}; pass shape=... without the batch"
            )
        return tuple(sizes)

    def _check_inputs(self, node: Node) -> None:
        for tensor in node.inputs:
            if tensor in self.unscaled and node.kind not in ("DequantizeLinear", "Clip"):
                node.refuse(
                    f"it reads '{tensor}', the integers of QuantizeLinear; put a DequantizeLinear between"
                )
            if tensor and tensor not in self.made and tensor not in self.constants:
                node.refuse(f"its input '{tensor}' is made by no node before it; export the model anew")

    # ----------------------------------------------------------------------------------------- for handlers

    def source(self, node: Node, index: int = 0) -> str:
        """Give the layer that makes an input of a node."""
        tensor = node.inputs[index]
        if tensor in self.constants:
            node.refuse(
                f"its input '{tensor}' is constant, and that is not supported here; fold it before the export"
            )
        return self.made[tensor]

    def constant(self, node: Node, index: int, what: str) -> Constant:
        """Give a constant input of a node."""
        tensor = node.inputs[index] if index < len(node.inputs) else ""
        if tensor not in self.constants:
            node.refuse(f"its {what} '{tensor}' is no constant; export the model with constant parameters")
        return self.constants[tensor]

    def scalar(self, node: Node, index: int, what: str) -> float:
        """Give a constant input that is one number."""
        values = self.constant(node, index, what).values
        if values.size != 1:
            node.refuse(f"its {what} has shape {values.shape}; one number for the whole tensor is supported")
        return float(values.reshape(-1)[0])

    def raws(self, node: Node, constant: Constant, what: str) -> tuple[Raws, Fixed]:
        """Give raws and format of a constant."""
        fmt = constant.fmt or exact_format(constant.values, EXACT_BITS)
        if fmt is None and self.constant_bits is not None:
            try:
                fmt = fitting_format(constant.values, self.constant_bits)
            except FormatError as error:
                node.refuse(f"its {what}: {error}")
        if fmt is None:
            node.refuse(
                f"its {what} has no quantiser, and {EXACT_BITS} bits do not hold it exactly; "
                "quantise it in the model, or pass constant_bits=... to round it"
            )
        return quantize(constant.values, fmt), fmt

    def set_constant(self, node: Node, values: Floats, fmt: Fixed | None = None) -> None:
        """Note the result of a node on constants."""
        self.constants[node.outputs[0]] = Constant(values, fmt)

    def set_array(self, node: Node, tensor: Any) -> None:
        """Note a tensor of the model as the result of a node."""
        self.element_types[node.outputs[0]] = int(tensor.data_type)
        self.set_constant(node, self._array(tensor, str(node)))

    def name_for(self, node: Node) -> str:
        """Make a free name of a layer."""
        return _identifier(node.name or f"{node.kind.lower()}_{node.place}", {*self.layers, INPUT})

    def add(self, node: Node, layer: Layer, *, is_open: bool = False) -> None:
        """Take a layer in as the result of a node."""
        self.layers[layer.name] = layer
        self.types[layer.name] = layer.output_type(*(self.types[source] for source in layer.inputs))
        self.made[node.outputs[0]] = layer.name
        if is_open:
            self.open.add(layer.name)

    def alias(self, node: Node) -> None:
        """Let the result of a node be its input."""
        if node.inputs[0] in self.constants:
            self.constants[node.outputs[0]] = self.constants[node.inputs[0]]
        else:
            self.made[node.outputs[0]] = self.made[node.inputs[0]]

    def only_reader(self, node: Node, index: int = 0) -> Layer | None:
        """Give the open layer behind an input, where nothing but this node reads it."""
        tensor = node.inputs[index]
        name = self.made[tensor]
        if name not in self.open or len(self.readers[tensor]) != 1:
            return None
        others = [t for t, made in self.made.items() if made == name and t != tensor and t in self.readers]
        return None if any(len(self.readers[t]) > 1 for t in others) else self.layers[name]

    def change(self, node: Node, layer: Layer, *, is_open: bool, **fields: Any) -> None:
        """Change a layer in place, and let it be the result of a node."""
        self.open.discard(layer.name)
        self.add(node, replace(layer, **fields), is_open=is_open)


def _identifier(text: str, taken: set[str]) -> str:
    """Make a usable name that is still free."""
    stem = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")[: MAX_NAME - 10] or "layer"
    stem = stem if stem[0].isalpha() else f"n{stem}"
    name, count = stem, 1
    while name in taken:
        count += 1
        name = f"{stem}_{count}"
    return name


def rounded_constant(values: Floats, fmt: Fixed) -> Floats:
    """Cast constants to a format and back."""
    return dequantize(quantize(values, fmt), fmt)

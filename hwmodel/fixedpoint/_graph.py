"""The graph of layers: checked when it is made, evaluated exactly in one pass, saved without pickles."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import ResultError, SpecError, WiringError, unknown
from hwmodel.fixedpoint import _layers, _layers_image
from hwmodel.fixedpoint._float import dequantize, quantize
from hwmodel.fixedpoint._format import Fixed, NonFinite
from hwmodel.fixedpoint._layers_base import INPUT, Layer, TensorType, as_batch, check_name
from hwmodel.fixedpoint._raw import Raws, as_integers

FORMAT_TAG = "hwmodel.fixedpoint.graph/1"

PART_ELEMENTS = 1 << 22  # numbers that one layer looks at in one go; more would only fill memory

# The layers that a file may hold, by their kind.
KINDS: Mapping[str, type[Layer]] = MappingProxyType(
    {
        kind.__name__: kind
        for module in (_layers, _layers_image)
        for name in module.__all__
        if isinstance(kind := getattr(module, name), type) and issubclass(kind, Layer) and kind is not Layer
    }
)


@dataclass(frozen=True, eq=False)
class Graph:
    """Layers that read each other's results, from one input to one output.

    Parameters:
        name: of the graph; letters, digits and _.
        input: type of the input, which layers read as "input".
        layers: in any order; the graph keeps them in an order in which each comes after those that it reads.
        output: name of the layer whose result is the graph's; left out, that is the last one given.

    Raises:
        UnknownNameError: where a layer reads a name that is none.
        WiringError: for two layers of one name, and for layers that read each other in a circle.
        FormatError: where shapes or formats do not fit.

    Example:
        >>> act = Fixed(8, 3, rounding="RND", overflow="SAT")
        >>> fc = _layers.Dense("fc", ("input",), weights=[[3], [-5]], weights_fmt=Fixed(4, 1), output=act)
        >>> graph = Graph("tiny", TensorType((2,), act), (fc, _layers.ReLU("relu", ("fc",))), "relu")
        >>> graph.evaluate([[64, 32], [0, 64]]).tolist(), graph.evaluate_float([2.0, 1.0])
        ([[4], [0]], array([0.125]))
    """

    name: str
    input: TensorType
    layers: tuple[Layer, ...]
    output: str = ""
    types: dict[str, TensorType] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the whole graph and order its layers."""
        check_name(self.name, "graph")
        if not isinstance(self.input, TensorType):
            raise SpecError(f"graph '{self.name}': input={self.input!r}; give TensorType(shape, Fixed(...))")
        given = tuple(self.layers)
        if not given:
            raise WiringError(f"graph '{self.name}' has no layers; give at least one")
        self._check_names(given)
        output = self.output or given[-1].name
        if output not in {layer.name for layer in given}:
            raise unknown(f"output of graph '{self.name}',", str(output), [layer.name for layer in given])
        put = object.__setattr__
        put(self, "output", output)
        put(self, "layers", _ordered(self.name, given))
        put(self, "types", self._infer())
        unused = self.unused
        if unused:
            warnings.warn(
                f"graph '{self.name}': nothing that leads to '{output}' reads {', '.join(map(repr, unused))}; "
                "remove them or name another output",
                stacklevel=3,
            )

    def _check_names(self, given: tuple[Layer, ...]) -> None:
        names: set[str] = set()
        for layer in given:
            if not isinstance(layer, Layer):
                raise SpecError(f"graph '{self.name}': {layer!r} is no layer")
            if layer.name in names:
                raise WiringError(f"graph '{self.name}' has two layers named '{layer.name}'; rename one")
            names.add(layer.name)
        for layer in given:
            if not layer.inputs:
                raise WiringError(
                    f"layer '{layer.name}' ({layer.kind}) reads nothing; give inputs=(\"{INPUT}\",) or chain the "
                    "layers by sequential()"
                )
            for source in layer.inputs:
                if source != INPUT and source not in names:
                    raise unknown(f"input of layer '{layer.name}',", str(source), [INPUT, *names])

    def _infer(self) -> dict[str, TensorType]:
        types = {INPUT: self.input}
        for layer in self.layers:
            types[layer.name] = layer.output_type(*(types[source] for source in layer.inputs))
        return types

    def __getitem__(self, name: str) -> Layer:
        """Give a layer by its name."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise unknown(f"layer of graph '{self.name}',", name, [layer.name for layer in self.layers])

    def input_types(self, layer: Layer) -> tuple[TensorType, ...]:
        """Give the types of what a layer reads."""
        return tuple(self.types[source] for source in layer.inputs)

    @property
    def output_type(self) -> TensorType:
        """Type of the result."""
        return self.types[self.output]

    @property
    def unused(self) -> tuple[str, ...]:
        """Layers whose results never reach the output."""
        needed = {self.output}
        for layer in reversed(self.layers):
            if layer.name in needed:
                needed.update(layer.inputs)
        return tuple(layer.name for layer in self.layers if layer.name not in needed)

    # ----------------------------------------------------------------------------------------- evaluation

    def evaluate(self, raw: Any, *, return_all: bool = False) -> Any:
        """Evaluate the graph on raws, every result exact.

        Parameters:
            raw: raws of the input's format, shape (batch, ...), or one tensor without the batch axis.
            return_all: give the results of all layers, and the input, by their names.

        Returns:
            Raws of shape (batch, ...), without the batch axis where the input had none; with
            `return_all` a dict of such arrays.

        Raises:
            FormatError: where raws do not fit the input.
        """
        array = as_integers(raw, f"input of graph '{self.name}'")
        single = array.ndim == len(self.input.shape)
        batch = as_batch(array[None] if single else array, self.input, f"input of graph '{self.name}'")
        if return_all:
            results = self._results(batch, keep=True)
            return {name: r[0] if single else r for name, r in results.items()}
        part, out = self._part(), self.output
        parts = [
            self._results(batch[k : k + part], keep=False)[out] for k in range(0, max(len(batch), 1), part)
        ]
        result = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return result[0] if single else result

    def _results(self, batch: Raws, *, keep: bool) -> dict[str, Raws]:
        """Results of the layers; without `keep` each is dropped once nothing needs it any more."""
        results, last_use = {INPUT: batch}, self._last_use()
        for layer in self.layers:
            arrays = tuple(results[source] for source in layer.inputs)
            results[layer.name] = layer.apply(arrays, self.input_types(layer))
            if not keep:
                for source in {s for s in layer.inputs if last_use[s] == layer.name}:
                    del results[source]
        return results

    def _part(self) -> int:
        """Tensors to evaluate at a time: so many that what the widest layer looks at stays small."""
        widest = self.input.size
        for layer in self.layers:
            kind = self.types[layer.name]
            widest = max(widest, kind.size, layer.macs(self.input_types(layer)) // kind.shape[0])
        return max(PART_ELEMENTS // widest, 1)

    def _last_use(self) -> dict[str, str]:
        last = {source: layer.name for layer in self.layers for source in layer.inputs}
        return last | {self.output: ""}

    def evaluate_float(self, x: Any, *, nonfinite: NonFinite = "error") -> npt.NDArray[np.float64]:
        """Evaluate the graph on numbers: cast them to the input's format, and give the values of the result.

        Parameters:
            x: floats, shape (batch, ...), or one tensor without the batch axis.
            nonfinite: what becomes of NaN and infinities; see `quantize`.
        """
        result: Raws = self.evaluate(quantize(x, self.input.fmt, nonfinite=nonfinite))
        return dequantize(result, self.output_type.fmt)

    def check(self) -> list[str]:
        """Tell what is legal and yet seldom meant: unused layers, accumulators that are too narrow."""
        said = [f"layer '{name}' is never used" for name in self.unused]
        return said + [text for layer in self.layers for text in layer.warnings(self.input_types(layer))]

    # ----------------------------------------------------------------------------------------- descriptions

    def describe(self) -> dict[str, Any]:
        """Give a JSON-able description, with arrays as shape and SHA-256."""
        return {
            "format": FORMAT_TAG,
            "name": self.name,
            "input": {"shape": list(self.input.shape), "fmt": str(self.input.fmt)},
            "layers": [layer.describe() for layer in self.layers],
            "output": self.output,
        }

    @property
    def spec_hash(self) -> str:
        """SHA-256 of everything that the graph is, the same in every process and on every machine."""
        text = json.dumps(self.describe(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def summary(self) -> str:
        """Give a table of the layers: kind, shape, format, parameters, multiply-accumulates.

        Example:
            >>> fc = _layers.Dense("fc", weights=[[3], [-5]], weights_fmt=Fixed(4, 1), output=Fixed(8, 3))
            >>> print(sequential("tiny", TensorType((2,), Fixed(8, 3)), fc).summary())
            layer  kind   reads  shape  format           parameters  MACs
            input  input         2      ap_fixed<8,3>             0     0
            fc     Dense  input  1      ap_fixed<8,3>             2     2
            total                                                 2     2
        """
        rows = [["layer", "kind", "reads", "shape", "format", "parameters", "MACs"]]
        rows.append([INPUT, "input", "", _shape(self.input), str(self.input.fmt), "0", "0"])
        for layer in self.layers:
            kind, macs = self.types[layer.name], layer.macs(self.input_types(layer))
            numbers = [f"{layer.parameters:,}", f"{macs:,}"]
            rows.append(
                [layer.name, layer.kind, ", ".join(layer.inputs), _shape(kind), str(kind.fmt), *numbers]
            )
        parameters = sum(layer.parameters for layer in self.layers)
        macs = sum(layer.macs(self.input_types(layer)) for layer in self.layers)
        rows.append(["total", "", "", "", "", f"{parameters:,}", f"{macs:,}"])
        widths = [max(len(row[k]) for row in rows) for k in range(7)]
        aligned = [
            [
                cell.rjust(w) if k > 4 else cell.ljust(w)
                for k, (cell, w) in enumerate(zip(row, widths, strict=True))
            ]
            for row in rows
        ]
        return "\n".join("  ".join(row).rstrip() for row in aligned)

    def __repr__(self) -> str:
        """Name, ends and number of layers."""
        return f"<Graph '{self.name}': {self.input} -> {self.output_type}, {len(self.layers)} layers>"

    # ----------------------------------------------------------------------------------------- files

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the graph to one .npz file without pickles.

        Parameters:
            path: of the file; ".npz" is added where it is missing.
        """
        file = Path(path)
        file = file if file.suffix == ".npz" else file.with_name(file.name + ".npz")
        arrays: dict[str, Any] = {}
        layers = [_pack(layer, arrays) for layer in self.layers]
        head = self.describe() | {"layers": layers, "spec_hash": self.spec_hash}
        arrays["graph"] = np.array(json.dumps(head, sort_keys=True))
        temporary = file.with_name(f".{file.name}.{os.getpid()}.new")
        try:
            with temporary.open("wb") as out:
                np.savez_compressed(out, **arrays)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
        return file

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Graph:
        """Read a graph that `save` wrote.

        Raises:
            ResultError: for a damaged file or one of another kind.
        """
        file = Path(path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an unused layer was warned of when the graph was made
                graph, written = _read(cls, file)
        except FileNotFoundError:
            raise ResultError(f"'{file}': no such graph; give the .npz file that Graph.save wrote") from None
        except ResultError:
            raise
        except Exception as error:  # those who parse damaged bytes raise classes of their own
            raise ResultError(f"'{file}' is no graph, or damaged ({error}); save it anew") from error
        if graph.spec_hash != written:
            raise ResultError(
                f"'{file}' is damaged: its hash is {graph.spec_hash[:12]}, not as written; save it anew"
            )
        return graph


def _read(kind: type[Graph], file: Path) -> tuple[Graph, Any]:
    """The graph in a file, and the hash written beside it."""
    with file.open("rb") as handle, np.load(handle, allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
    head = json.loads(str(arrays["graph"]))
    if head["format"] != FORMAT_TAG:
        raise ResultError(f"'{file}' has the format {head['format']!r}, wanted {FORMAT_TAG!r}; save it anew")
    source = TensorType(tuple(head["input"]["shape"]), Fixed.parse(head["input"]["fmt"]))
    layers = tuple(_unpack(entry, arrays) for entry in head["layers"])
    return kind(head["name"], source, layers, head["output"]), head["spec_hash"]


def sequential(name: str, input: TensorType, *layers: Layer) -> Graph:  # noqa: A002  the name of the field
    """Chain layers: each reads the one before it, unless it names its inputs itself.

    Parameters:
        name: of the graph.
        input: type of the input.
        layers: in their order.

    Example:
        >>> chain = sequential("chain", TensorType((3,), Fixed(8, 3)), _layers.ReLU("relu"), _layers.Argmax("top"))
        >>> chain.evaluate([[-1, 5, 9]]).tolist(), chain["top"].inputs
        ([[2]], ('relu',))
    """
    before, chained = INPUT, []
    for layer in layers:
        if not isinstance(layer, Layer):
            raise SpecError(f"graph '{name}': {layer!r} is no layer")
        chained.append(layer if layer.inputs else replace(layer, inputs=(before,)))
        before = layer.name
    return Graph(name, input, tuple(chained))


def _shape(kind: TensorType) -> str:
    return "x".join(map(str, kind.shape))


def _ordered(graph: str, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Order layers so that each comes after those that it reads, else as given."""
    done, order, waiting = {INPUT}, [], list(layers)
    while waiting:
        ready = next((layer for layer in waiting if done.issuperset(layer.inputs)), None)
        if ready is None:
            raise WiringError(
                f"graph '{graph}': layers read each other in a circle, {_circle(waiting)}; cut it"
            )
        order.append(ready)
        done.add(ready.name)
        waiting.remove(ready)
    return tuple(order)


def _circle(waiting: list[Layer]) -> str:
    """Follow inputs among layers that all wait until one comes again."""
    by_name, path = {layer.name: layer for layer in waiting}, [waiting[0].name]
    while path[-1] not in path[:-1]:
        path.append(next(source for source in by_name[path[-1]].inputs if source in by_name))
    return " <- ".join(path[path.index(path[-1]) :])


def _pack(layer: Layer, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Describe a layer as JSON, with its arrays put beside; wide raws become text."""
    entry = layer.describe()
    for f in fields(layer):
        value = getattr(layer, f.name)
        if isinstance(value, np.ndarray):
            key = f"{layer.name}.{f.name}"
            arrays[key] = value if value.dtype != object else value.astype(np.str_)
            entry[f.name] = {"array": key}
    return entry


def _unpack(entry: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Layer:
    kind = KINDS.get(entry["kind"])
    if kind is None:
        raise ResultError(f"the file holds a layer of kind {entry['kind']!r}; known are {', '.join(KINDS)}")
    values: dict[str, Any] = {}
    for key, value in entry.items():
        if isinstance(value, dict):
            array = arrays[value["array"]]
            values[key] = array if array.dtype.kind != "U" else _python_ints(array)
        elif key != "kind":
            values[key] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def _python_ints(text: npt.NDArray[Any]) -> Raws:
    whole = np.empty(text.shape, object)
    whole.reshape(-1)[:] = [int(t) for t in text.reshape(-1)]
    return whole

"""What a rate-coded network is made of, shared by the rate algebra and the pulse-level circuit."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, unknown

__all__ = ["FanIn", "LayerBias", "NetworkSpec"]

Array = npt.NDArray[np.float64]

FanIn = Literal["aligned", "staggered"]
"""How the pulses of one slot meet: all at once, so that they merge, or one after the other, so that they count."""

MAX_THRESHOLD = 16


@dataclass(frozen=True, eq=False)
class LayerBias:
    """The bias currents of one layer, uA.

    Parameters
    ----------
    excitatory, inhibitory:
        Shape (neurons, sources); where the network is always on, the last source is the clock.
    decision:
        Shape (neurons,), or None where the layer has no decision comparator.
    """

    excitatory: Array
    inhibitory: Array
    decision: Array | None = None


@dataclass(frozen=True)
class NetworkSpec:
    """A network of layers of stochastic synapses and slot-synchronous neurons.

    Every neuron has one excitatory and one inhibitory synapse from every source of the layer before; training decides
    what each of them does.

    Parameters
    ----------
    sizes:
        Inputs, hidden layers, outputs: at least (inputs, outputs).
    thresholds:
        Excitatory pulses in one slot that make a neuron fire, one number or one a layer. Above 1 the pulses must be
        staggered: aligned ones merge into one.
    decision:
        True: a comparator after each neuron passes its pulse with a probability, the bias-set threshold.
    always_on:
        True: each layer has one more source that fires in every slot, so that a neuron can fire without input.
    fan_in:
        "aligned" or "staggered".

    Raises
    ------
    SpecError
        With the item, its value and the remedy.

    Example
    -------
    >>> spec = NetworkSpec((2, 2, 1))
    >>> spec.parameters, spec.neuron_names
    (12, (('h1', 'h2'), ('out',)))
    """

    sizes: tuple[int, ...] = (2, 2, 1)
    thresholds: int | tuple[int, ...] = 1
    decision: bool = False
    always_on: bool = False
    fan_in: FanIn = "aligned"

    def __post_init__(self) -> None:
        sizes = _whole_numbers("sizes", self.sizes)
        if len(sizes) < 2:
            raise SpecError(
                f"network: sizes={sizes!r} must name inputs and outputs at least, such as (2, 2, 1)"
            )
        object.__setattr__(self, "sizes", sizes)
        layers = len(sizes) - 1
        wish = self.thresholds
        thresholds = (wish,) * layers if isinstance(wish, int) else tuple(wish)
        if len(_whole_numbers("thresholds", thresholds)) != layers:
            raise SpecError(
                f"network: thresholds={wish!r} must be one number, or one for each of {layers} layers"
            )
        if self.fan_in not in get_args(FanIn):
            raise SpecError(f"network: {unknown('fan_in', str(self.fan_in), get_args(FanIn))}")
        for layer, threshold in enumerate(thresholds):
            if threshold > MAX_THRESHOLD:
                raise SpecError(f"network: thresholds={wish!r}: at most {MAX_THRESHOLD} fluxons are counted")
            if threshold > 1 and self.fan_in == "aligned":
                raise SpecError(
                    f"network: thresholds={wish!r} with fan_in='aligned': aligned pulses merge into one, so layer "
                    f"{layer + 1} would never count to {threshold}; use fan_in='staggered'"
                )
        object.__setattr__(self, "thresholds", thresholds)

    @property
    def layer_thresholds(self) -> tuple[int, ...]:
        """The threshold of each layer."""
        return self.thresholds if isinstance(self.thresholds, tuple) else (self.thresholds,)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(neurons, sources) of each layer; the clock of an always-on network counts as a source."""
        return tuple((n, m + self.always_on) for m, n in itertools.pairwise(self.sizes))

    @property
    def parameters(self) -> int:
        """How many bias currents there are."""
        return sum(2 * n * m + (n if self.decision else 0) for n, m in self.shapes)

    @property
    def input_names(self) -> tuple[str, ...]:
        """a, b, c ... for up to 26 inputs, else x1, x2, ..."""
        count = self.sizes[0]
        # The clock of a circuit is `clk`, so letters cannot clash with it.
        return tuple(chr(ord("a") + i) if count <= 26 else f"x{i + 1}" for i in range(count))

    @property
    def neuron_names(self) -> tuple[tuple[str, ...], ...]:
        """Names of the neurons of each layer: h1, h2 or h1_1, h1_2, ... and out or out1, out2, ..."""
        hidden = self.sizes[1:-1]
        rows = [
            tuple(f"h{j + 1}" if len(hidden) == 1 else f"h{layer + 1}_{j + 1}" for j in range(count))
            for layer, count in enumerate(hidden)
        ]
        outputs = self.sizes[-1]
        rows.append(("out",) if outputs == 1 else tuple(f"out{j + 1}" for j in range(outputs)))
        return tuple(rows)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """A name for each entry of the parameter vector, such as 'h1<+a' or 'out<-h2'; 'h1?' is a decision current."""
        names: list[str] = []
        sources = self.input_names
        for row in self.neuron_names:
            feed = (*sources, "on") if self.always_on else sources
            names += [f"{neuron}<+{source}" for neuron in row for source in feed]
            names += [f"{neuron}<-{source}" for neuron in row for source in feed]
            names += [f"{neuron}?" for neuron in row] if self.decision else []
            sources = row
        return tuple(names)

    def unpack(self, vector: Any) -> tuple[LayerBias, ...]:
        """Split parameter vectors, shape (..., parameters), uA, into layers of views, shapes (..., n, m) and (..., n).

        Raises
        ------
        SpecError
            Where the last axis has another length.
        """
        values = np.asarray(vector, dtype=np.float64)
        if values.ndim < 1 or values.shape[-1] != self.parameters:
            raise SpecError(
                f"network: {self.sizes} has {self.parameters} bias currents, got an array of shape {values.shape}"
            )
        layers: list[LayerBias] = []
        at = 0
        for n, m in self.shapes:
            parts = []
            for _ in range(2):
                parts.append(values[..., at : at + n * m].reshape(*values.shape[:-1], n, m))
                at += n * m
            decision = values[..., at : at + n] if self.decision else None
            at += n if self.decision else 0
            layers.append(LayerBias(parts[0], parts[1], decision))
        return tuple(layers)

    def pack(self, layers: Sequence[LayerBias]) -> Array:
        """Join layers into one parameter vector, the inverse of `unpack`."""
        if len(layers) != len(self.shapes):
            raise SpecError(
                f"network: {self.sizes} has {len(self.shapes)} layers, got the currents of {len(layers)}"
            )
        parts: list[Array] = []
        for number, (layer, (n, m)) in enumerate(zip(layers, self.shapes, strict=True), start=1):
            rows: list[tuple[str, Array, tuple[int, ...]]] = [
                ("excitatory", layer.excitatory, (n, m)),
                ("inhibitory", layer.inhibitory, (n, m)),
            ]
            if self.decision:
                rows.append(("decision", np.asarray(layer.decision, dtype=np.float64), (n,)))
            for what, values, shape in rows:
                lead = np.shape(values)[: -len(shape)]
                if np.shape(values)[-len(shape) :] != shape:
                    raise SpecError(
                        f"network: layer {number}: {what} currents must have shape {shape}, got {np.shape(values)}"
                    )
                parts.append(np.asarray(values, dtype=np.float64).reshape(*lead, -1))
        return np.concatenate(parts, axis=-1)


def _whole_numbers(what: str, values: Any) -> tuple[int, ...]:
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise SpecError(f"network: {what}={values!r} must be a sequence of whole numbers, such as (2, 2, 1)")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise SpecError(f"network: {what}={values!r}: {value!r} must be a whole number, 1 or more")
    return tuple(values)

"""The rate algebra: a network as a map of pulse rates, exact where layers are narrow, with gradients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from hwmodel.errors import SpecError, unknown
from hwmodel.sfq.neuro._counting import (
    Firing,
    joint_forward,
    joint_gradient,
    neuron_firing,
    neuron_firing_gradient,
)
from hwmodel.sfq.neuro._spec import NetworkSpec
from hwmodel.sfq.neuro._synapse import Synapse

__all__ = ["Activity", "Method", "RateNetwork", "independent_patterns", "pattern_bits"]

Array = npt.NDArray[np.float64]
Method = Literal["auto", "exact", "independent"]

MAX_EXACT_WIDTH = 12
"""Widest layer whose 2**n patterns are followed one by one."""

AUTO_EXACT_WIDTH = 8
"""Widest layer for which "auto" takes the exact method."""


def pattern_bits(width: int) -> Array:
    """All pulse patterns of `width` sources, shape (2**width, width); bit j of the row number is source j.

    Example
    -------
    >>> pattern_bits(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return ((np.arange(1 << width)[:, None] >> np.arange(width)) & 1).astype(np.float64)


def independent_patterns(rates: Any) -> Array:
    """Probability of each pulse pattern of independent sources; rates (..., m) give (..., 2**m).

    Example
    -------
    >>> independent_patterns([0.5, 1.0]).tolist()
    [0.0, 0.0, 0.5, 0.5]
    """
    values = np.asarray(rates, dtype=np.float64)
    bits = pattern_bits(values.shape[-1])
    return np.asarray(np.prod(np.where(bits > 0, values[..., None, :], 1.0 - values[..., None, :]), axis=-1))


@dataclass(frozen=True, eq=False)
class Activity:
    """Pulse rates of a network, in pulses a slot.

    Parameters
    ----------
    layers:
        One array a layer, shape (..., cases, neurons).
    """

    layers: tuple[Array, ...]

    @property
    def output(self) -> Array:
        """Rates of the output neurons, shape (..., cases, outputs)."""
        return self.layers[-1]


@dataclass
class _Step:
    """What the forward pass of one layer leaves for the backward pass."""

    source: Array  # (r, b, x): distribution of patterns, or (r, b, m): rates
    fires: Array  # (r, x or b, n): firing probability before the decision
    decided: Array  # the same after it
    record: Firing
    currents: tuple[Array, Array, Array | None]


@dataclass(frozen=True)
class RateNetwork:
    """The analytic twin of a pulse network.

    In a slot-synchronous network a neuron's state is cleared in every slot, so slots are independent of each other and
    one slot says everything. The exact method carries the joint distribution of a layer's pulse pattern: streams that
    come from one neuron are correlated, and products of rates would be wrong. The independent method multiplies rates
    and serves layers that are too wide for 2**n patterns.

    Parameters
    ----------
    spec:
        Sizes, thresholds, fan-in.
    synapse:
        The firing curve, for synapses and decision comparators alike.

    Example
    -------
    >>> network = RateNetwork(NetworkSpec((2, 1)))
    >>> on, off = 88.0, 74.0
    >>> a_and_not_b = [on, off, off, on]              # <+a <+b <-a <-b
    >>> rates = network.rates(a_and_not_b, [[0, 0], [0, 1], [1, 0], [1, 1]]).output
    >>> rates[:, 0].round(2).tolist()
    [0.0, 0.0, 1.0, 0.0]
    """

    spec: NetworkSpec = field(default_factory=NetworkSpec)
    synapse: Synapse = field(default_factory=Synapse)

    def rates(self, currents_ua: Any, inputs: Any, method: Method = "auto") -> Activity:
        """Rates of all neurons.

        Parameters
        ----------
        currents_ua:
            Parameter vectors, uA, shape (..., parameters), order as in `NetworkSpec.parameter_names`.
        inputs:
            Rates of the inputs, pulses a slot, shape (cases, inputs); independent streams.
        method:
            "exact", "independent", or "auto": exact up to a width of 8.
        """
        source, exact = self._source(inputs, method)
        return self._activity(currents_ua, source, exact)

    def rates_of_patterns(self, currents_ua: Any, patterns: Any) -> Activity:
        """Rates of all neurons, exact, where the joint distribution of the inputs is given.

        `patterns` has shape (cases, 2**inputs); bit j of the index is input j. Recorded stimuli come this way.
        """
        values = np.asarray(patterns, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != 1 << self.spec.sizes[0]:
            raise SpecError(
                f"rate network: patterns must have shape (cases, {1 << self.spec.sizes[0]}), got {values.shape}"
            )
        if (values < 0.0).any() or not np.allclose(values.sum(axis=1), 1.0):
            raise SpecError("rate network: patterns must be probabilities, each row with the sum 1")
        self._exact("exact")
        return self._activity(currents_ua, values[None], True)

    def loss_and_gradient(
        self, currents_ua: Any, inputs: Any, targets: Any, method: Method = "auto"
    ) -> tuple[Array, Array]:
        """Mean squared error of the output rates, and its derivative with respect to every bias current.

        Parameters
        ----------
        currents_ua:
            uA, shape (..., parameters): many networks at once.
        inputs, targets:
            Rates, shapes (cases, inputs) and (cases, outputs).

        Returns
        -------
        Loss, shape (...), and gradient, shape (..., parameters), 1/uA.
        """
        vectors = np.asarray(currents_ua, dtype=np.float64)
        source, exact = self._source(inputs, method)
        wanted = self._targets(targets, source.shape[1])
        steps, output = self._forward(vectors.reshape(-1, vectors.shape[-1]), source, exact)
        error = output - wanted
        loss = np.mean(error * error, axis=(1, 2))
        gradient = self._backward(steps, 2.0 * error / wanted.size, exact)
        return loss.reshape(vectors.shape[:-1]), gradient.reshape(vectors.shape)

    def loss(self, currents_ua: Any, inputs: Any, targets: Any, method: Method = "auto") -> Array:
        """The loss of `loss_and_gradient` alone."""
        vectors = np.asarray(currents_ua, dtype=np.float64)
        source, exact = self._source(inputs, method)
        error = self._forward(vectors.reshape(-1, vectors.shape[-1]), source, exact)[1]
        error = error - self._targets(targets, source.shape[1])
        return np.asarray(np.mean(error * error, axis=(1, 2)).reshape(vectors.shape[:-1]))

    def _targets(self, targets: Any, cases: int) -> Array:
        wanted = np.asarray(targets, dtype=np.float64)
        if wanted.shape != (cases, self.spec.sizes[-1]):
            raise SpecError(
                f"rate network: targets must have shape {(cases, self.spec.sizes[-1])}, got {wanted.shape}"
            )
        return wanted

    def _source(self, inputs: Any, method: Method) -> tuple[Array, bool]:
        rates = np.asarray(inputs, dtype=np.float64)
        if rates.ndim != 2 or rates.shape[1] != self.spec.sizes[0]:
            raise SpecError(
                f"rate network: inputs must have shape (cases, {self.spec.sizes[0]}), got {rates.shape}"
            )
        if not ((rates >= 0.0) & (rates <= 1.0)).all():
            raise SpecError("rate network: a rate must be between 0 and 1 pulse a slot")
        exact = self._exact(method)
        return (independent_patterns(rates) if exact else rates)[None], exact

    def _exact(self, method: Method) -> bool:
        if method not in get_args(Method):
            raise unknown("method", str(method), get_args(Method))
        width = max(self.spec.sizes[:-1])
        if method == "exact" and width > MAX_EXACT_WIDTH:
            raise SpecError(
                f"rate network: method='exact' follows 2**n patterns, at most {MAX_EXACT_WIDTH} wide, and this network "
                f"has a layer of {width}; use method='independent'"
            )
        return method == "exact" or (method == "auto" and width <= AUTO_EXACT_WIDTH)

    def _activity(self, currents_ua: Any, source: Array, exact: bool) -> Activity:
        vectors = np.asarray(currents_ua, dtype=np.float64)
        steps, _ = self._forward(vectors.reshape(-1, vectors.shape[-1]), source, exact)
        rates = [step.source @ step.decided if exact else step.decided for step in steps]
        return Activity(tuple(rate.reshape(*vectors.shape[:-1], *rate.shape[1:]) for rate in rates))

    def _forward(self, vectors: Array, source: Array, exact: bool) -> tuple[list[_Step], Array]:
        steps: list[_Step] = []
        last = len(self.spec.shapes) - 1
        for number, layer in enumerate(self.spec.unpack(vectors)):
            excite = self.synapse.probability(layer.excitatory)[:, None]
            inhibit = self.synapse.probability(layer.inhibitory)[:, None]
            rate = pattern_bits(self.spec.sizes[number])[None] if exact else source
            if self.spec.always_on:
                rate = np.concatenate([rate, np.ones((*rate.shape[:-1], 1))], axis=-1)
            fires, record = neuron_firing(
                rate[:, :, None, :], excite, inhibit, self.spec.layer_thresholds[number]
            )
            decided = fires
            if layer.decision is not None:
                decided = fires * self.synapse.probability(layer.decision)[:, None, :]
            steps.append(
                _Step(source, fires, decided, record, (layer.excitatory, layer.inhibitory, layer.decision))
            )
            if exact and number < last:
                source = joint_forward(source, decided)
            else:
                source = source @ decided if exact else decided
        return steps, source

    def _backward(self, steps: list[_Step], upstream: Array, exact: bool) -> Array:
        parts: list[Array] = []
        for number in reversed(range(len(steps))):
            step = steps[number]
            if not exact:
                d_source, d_decided = None, upstream
            elif number == len(steps) - 1:
                d_source = upstream @ step.decided.swapaxes(1, 2)
                d_decided = step.source.swapaxes(1, 2) @ upstream
            else:
                d_source, d_decided = joint_gradient(step.source, step.decided, upstream)
            excitatory, inhibitory, decision = step.currents
            layer_parts: list[Array] = []
            if decision is not None:
                passed = self.synapse.probability(decision)[:, None, :]
                layer_parts.append(np.sum(d_decided * step.fires, axis=1) * self.synapse.slope(decision))
                d_decided = d_decided * passed
            d_rate, d_excite, d_inhibit = neuron_firing_gradient(step.record, d_decided)
            flat = (excitatory.shape[0], -1)
            layer_parts.append((d_inhibit.sum(axis=1) * self.synapse.slope(inhibitory)).reshape(flat))
            layer_parts.append((d_excite.sum(axis=1) * self.synapse.slope(excitatory)).reshape(flat))
            parts += layer_parts
            # In the exact method the patterns are constants and their probabilities vary; else the rates do.
            upstream = (
                d_source if d_source is not None else d_rate.sum(axis=2)[..., : self.spec.sizes[number]]
            )
        return np.concatenate(parts[::-1], axis=-1)

"""The threshold of a neuron as probability: how often at least k of independent, unlike pulses arrive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Firing:
    """What the backward pass needs of `neuron_firing`: rates r (..., 1, m), weights (..., n, m), the counts."""

    rate: Array
    excite: Array
    inhibit: Array
    silent: Array
    single: Array
    counts: list[Array]


def neuron_firing(rate: Array, excite: Array, inhibit: Array, threshold: int) -> tuple[Array, Firing]:
    """Probability that at least `threshold` excitatory pulses and no inhibitory one reach a neuron in a slot.

    Parameters
    ----------
    rate:
        Shape (..., 1, m): the probability of a pulse at each source, independent of each other.
    excite, inhibit:
        Shape (..., n, m): the weights. The two synapses of a source see the same pulse, so they are not independent
        of each other; that is why each source is counted as one three-way draw: silent, one pulse, or inhibited.
    threshold:
        1 or more.

    Returns
    -------
    Probability of shape (..., n), and what `neuron_firing_gradient` needs.
    """
    passes = 1.0 - inhibit
    silent = 1.0 - rate + rate * (1.0 - excite) * passes
    single = rate * excite * passes
    # counts[c] = probability of c pulses so far, uninhibited; the last entry gathers "threshold or more".
    first = np.zeros((*silent.shape[:-1], threshold + 1))
    first[..., 0] = 1.0
    counts = [first]
    for source in range(silent.shape[-1]):
        zero, one = silent[..., source, None], single[..., source, None]
        before = counts[-1]
        after = zero * before
        after[..., 1:] += one * before[..., :-1]
        after[..., -1:] += one * before[..., -1:]
        counts.append(after)
    return counts[-1][..., -1], Firing(rate, excite, inhibit, silent, single, counts)


def neuron_firing_gradient(record: Firing, upstream: Array) -> tuple[Array, Array, Array]:
    """Derivatives of a loss with respect to rate, excite and inhibit, all of the broadcast shape (..., n, m).

    `upstream` is the derivative with respect to the probability that `neuron_firing` returned, shape (..., n).
    """
    adjoint = np.zeros_like(record.counts[-1])
    adjoint[..., -1] = upstream
    d_silent = np.empty_like(record.silent)
    d_single = np.empty_like(record.single)
    for source in reversed(range(record.silent.shape[-1])):
        before = record.counts[source]
        shifted = np.concatenate([adjoint[..., 1:], adjoint[..., -1:]], axis=-1)
        d_silent[..., source] = np.sum(adjoint * before, axis=-1)
        d_single[..., source] = np.sum(shifted * before, axis=-1)
        adjoint = record.silent[..., source, None] * adjoint + record.single[..., source, None] * shifted
    rate, excite, passes = record.rate, record.excite, 1.0 - record.inhibit
    d_rate = d_silent * ((1.0 - excite) * passes - 1.0) + d_single * excite * passes
    d_excite = rate * passes * (d_single - d_silent)
    d_inhibit = -rate * (d_silent * (1.0 - excite) + d_single * excite)
    return d_rate, d_excite, d_inhibit


def joint_forward(pattern: Array, fires: Array) -> Array:
    """Distribution of a layer's pulse pattern from that of its sources.

    Parameters
    ----------
    pattern:
        Shape (r, b, x): probability of each source pattern.
    fires:
        Shape (r, x, n): probability that each neuron fires, given the source pattern; given it, the neurons are
        independent.

    Returns
    -------
    Shape (r, b, 2**n); bit j of the index is neuron j.
    """
    result = np.zeros((fires.shape[0], pattern.shape[1], 1 << fires.shape[-1]))
    for part in _chunks(fires):
        result += pattern[:, :, part] @ _given(fires[:, part])[-1]
    return result


def joint_gradient(pattern: Array, fires: Array, upstream: Array) -> tuple[Array, Array]:
    """Derivatives with respect to `pattern` (r, b, x) and `fires` (r, x, n), from that of the result (r, b, 2**n)."""
    d_pattern = np.empty(np.broadcast_shapes(pattern.shape, (fires.shape[0], 1, 1)))
    d_fires = np.empty_like(fires)
    for part in _chunks(fires):
        stages = _given(fires[:, part])
        d_pattern[:, :, part] = upstream @ stages[-1].swapaxes(1, 2)
        adjoint = pattern[:, :, part].swapaxes(1, 2) @ upstream
        for neuron in reversed(range(fires.shape[-1])):
            fire = fires[:, part, neuron, None]
            silent_side, fire_side = np.split(adjoint, 2, axis=-1)
            d_fires[:, part, neuron] = np.sum(stages[neuron] * (fire_side - silent_side), axis=-1)
            adjoint = (1.0 - fire) * silent_side + fire * fire_side
    return d_pattern, d_fires


def _given(fires: Array) -> list[Array]:
    """Stage j: probability of the pattern of the first j neurons, given each source pattern, shape (r, x, 2**j)."""
    stages = [np.ones((*fires.shape[:2], 1))]
    for neuron in range(fires.shape[-1]):
        fire = fires[:, :, neuron, None]
        stages.append(np.concatenate([stages[-1] * (1.0 - fire), stages[-1] * fire], axis=-1))
    return stages


def _chunks(fires: Array) -> list[slice]:
    """Slices of the source patterns that keep the table of transitions near 8 MB for wide layers."""
    size = max(1, (1 << 20) // ((1 << fires.shape[-1]) * fires.shape[0]))
    return [slice(at, at + size) for at in range(0, fires.shape[1], size)]

"""Rate-coded networks of stochastic SFQ synapses: the firing curve, the rate algebra, training, the circuit.

A pulse a slot is a bit of a random stream; a rate is its mean; a synapse multiplies it by a weight between 0 and 1 that
a bias current sets.
"""

from __future__ import annotations

from hwmodel.sfq.neuro._merge import MergeHolds, MergeProcess, merge_rate
from hwmodel.sfq.neuro._network import PulseNetwork, PulseRun, PulseTiming
from hwmodel.sfq.neuro._neuron import counter_cell
from hwmodel.sfq.neuro._rates import Activity, Method, RateNetwork, independent_patterns, pattern_bits
from hwmodel.sfq.neuro._spec import FanIn, LayerBias, NetworkSpec
from hwmodel.sfq.neuro._synapse import BiasSetting, Synapse, synapse_cell
from hwmodel.sfq.neuro._train import Training, train
from hwmodel.sfq.neuro.device import (
    COMPARATOR_1THZ,
    COMPARATOR_10THZ,
    DEFAULT_COMPARATOR,
    Comparator,
    Point,
    comparator,
    comparators,
)

__all__ = [
    "COMPARATOR_1THZ",
    "COMPARATOR_10THZ",
    "DEFAULT_COMPARATOR",
    "Activity",
    "BiasSetting",
    "Comparator",
    "FanIn",
    "LayerBias",
    "MergeHolds",
    "MergeProcess",
    "Method",
    "NetworkSpec",
    "Point",
    "PulseNetwork",
    "PulseRun",
    "PulseTiming",
    "RateNetwork",
    "Synapse",
    "Training",
    "comparator",
    "comparators",
    "counter_cell",
    "independent_patterns",
    "merge_rate",
    "pattern_bits",
    "synapse_cell",
    "train",
]

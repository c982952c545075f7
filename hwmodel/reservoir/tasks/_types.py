"""Types that the compiled loops and their callers share."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Reservoir(Protocol):
    """Whatever turns an input series into a series of states.

    A reservoir starts from the same state at every call: `run` of the same inputs gives the same states.
    """

    @property
    def name(self) -> str:
        """For tables."""
        ...

    def run(self, inputs: Floats) -> Floats:
        """States of shape (T, n) for inputs of shape (T,)."""
        ...

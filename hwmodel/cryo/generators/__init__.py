"""Traces that are made by a rule and a seed: no program, no compiler, no emulator.

A pattern says which addresses are touched (`Stream`, `Stride`, `Chase`, `Uniform`, `Zipf`, `Stencil`, or a `Mix` of
them), a `Body` what instructions there are around the accesses: their kinds, how far back each depends, how branches
behave. `generate` writes the trace. Importing this package loads no compiler.
"""

from hwmodel.cryo.generators._body import Body
from hwmodel.cryo.generators._generate import addresses, generate
from hwmodel.cryo.generators._patterns import Chase, Mix, Pattern, Stencil, Stream, Stride, Uniform, Zipf

__all__ = [
    "Body",
    "Chase",
    "Mix",
    "Pattern",
    "Stencil",
    "Stream",
    "Stride",
    "Uniform",
    "Zipf",
    "addresses",
    "generate",
]

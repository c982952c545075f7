"""Compiled loops of the readers of binary traces; importing this loads numba."""

from hwmodel.cryo._binary._kernels import cvp, drmemtrace, elastic

__all__ = ["cvp", "drmemtrace", "elastic"]

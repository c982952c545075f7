"""The short way of a request through general caches that are plain but for their policies."""

from hwmodel.cryo.cache._direct._kernels import (
    LINE,
    PREFETCH,
    READ,
    WRITE,
    hit_here,
    is_direct,
    is_simple,
    memory,
    miss,
)

__all__ = ["LINE", "PREFETCH", "READ", "WRITE", "hit_here", "is_direct", "is_simple", "memory", "miss"]

"""SHA-256 of block headers, compiled; `hwmodel.reservoir.header` is its door."""

from __future__ import annotations

__all__: list[str] = []

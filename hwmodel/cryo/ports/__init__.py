"""Memory-mapped ports as the cores see them, compiled; what users need is in `hwmodel.cryo.engine`."""

__all__: list[str] = []

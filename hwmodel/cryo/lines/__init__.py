"""Cache lines, miss registers and prefetch tables, compiled; what users need is in `hwmodel.cryo`."""

__all__: list[str] = []

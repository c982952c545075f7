"""Cache lines, miss registers, prefetch tables and DRAM banks, compiled; what users need is in `hwmodel.cryo`."""

__all__: list[str] = []

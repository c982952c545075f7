"""Banks of DRAM, compiled; what users need is in `hwmodel.cryo`."""

__all__: list[str] = []

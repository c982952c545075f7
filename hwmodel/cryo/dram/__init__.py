"""A channel of DRAM and its controller, compiled; what users need is in `hwmodel.cryo`."""

__all__: list[str] = []

"""Where the parts of a machine's state lie, compiled; what users need is in `hwmodel.cryo`."""

__all__: list[str] = []

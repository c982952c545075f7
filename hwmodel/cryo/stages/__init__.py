"""Parts of the in-order core, compiled; what users need is in `hwmodel.cryo`."""

__all__: list[str] = []

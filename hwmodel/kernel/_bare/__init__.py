"""Words of arrays without their shape, compiled; what engines need is in `hwmodel.kernel.compiled`."""

__all__: list[str] = []

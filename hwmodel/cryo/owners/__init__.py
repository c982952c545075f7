"""What a shared memory knows of the private caches above it, compiled; what users need is in `hwmodel.cryo.multicore`."""

__all__: list[str] = []

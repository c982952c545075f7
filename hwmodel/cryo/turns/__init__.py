"""The loop in which cores take turns on a shared memory, compiled; what users need is in `hwmodel.cryo.multicore`."""

__all__: list[str] = []

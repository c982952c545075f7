"""The way of an access where several cores share a memory, compiled; what users need is in `hwmodel.cryo.multicore`."""

__all__: list[str] = []

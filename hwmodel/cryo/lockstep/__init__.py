"""The loop of a core in lock-step with other domains, compiled; what users need is in `hwmodel.cryo.engine`."""

__all__: list[str] = []

"""The buffer of decoded instructions in front of the out-of-order core, and loads that find stores by address."""

__all__: list[str] = []

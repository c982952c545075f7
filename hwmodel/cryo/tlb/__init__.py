"""Address translation with its time: the kernels of TLBs and page-table walks."""

__all__: list[str] = []

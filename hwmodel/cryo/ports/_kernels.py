"""Memory-mapped ports as the cores see them: a load or store of a negative address goes here, not to a cache.

The engine of a core marks the operands that lie in a mapped range by the sign of their address. Its words have an
area of their own, behind those of the machine, whose place is in the header word `H_PORTS`; a machine without it must
not be given negative addresses.
"""

from __future__ import annotations

from hwmodel.cryo.words._kernels import H_PORTS, PATH, WRITE
from hwmodel.kernel.compiled import Ints, jit

V_SENT = 0  # time at which the last doorbell left
V_READ = 1  # time at which the last mapped load began
V_NEXT = 2  # which of the prepared loads comes next
V_TAIL = 3  # stores to doorbells that have been worked out, and those that have been sent as messages
V_HEAD = 4
V_READS = 5  # mapped loads that have been worked out, those of the present instruction included
V_LOADS = (
    8  # for each load of an instruction: time of its message, replaced by when the load began, and latency
)
V_RING = 32  # stores to doorbells: time, address, mapped loads before them
PORT_LOADS = 8
PORT_RING = 4096
PORT_WORDS = V_RING + 4 * PORT_RING


@jit
def port_access(w: Ints, address: int, t: int, kind: int) -> int:
    """Make one access to a mapped port at time t; return when its data is at the core.

    A load begins when all doorbells before it have left, and has its data a latency after it began or after its
    message came, whichever is later. A store leaves as a message at once.
    """
    at = w[H_PORTS]
    w[PATH + 15] = -1  # no cache level answered
    if kind == WRITE:
        t = max(t, w[at + V_SENT])
        w[at + V_SENT] = t
        row = at + V_RING + 4 * (w[at + V_TAIL] & (PORT_RING - 1))
        w[row] = t
        w[row + 1] = address
        w[row + 2] = w[at + V_READS]
        w[at + V_TAIL] += 1
        return t
    load = at + V_LOADS + 2 * (w[at + V_NEXT] & (PORT_LOADS - 1))
    w[at + V_NEXT] += 1
    begin = max(t, w[at + V_SENT], w[at + V_READ])
    w[at + V_READ] = begin
    data = max(begin, w[load]) + w[load + 1]
    w[load] = begin
    return data

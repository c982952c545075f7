"""RISC-V instructions: RV64 with the extensions I, M, A, F, D, C and the system instructions a program may use.

Decoded from the encoding itself, as the unprivileged specification (20191213) has it, since register operands are
fields there. Vector instructions become class SIMD without registers.
"""

from __future__ import annotations

from hwmodel.cryo._decode import Decoded
from hwmodel.cryo.trace import ATOMIC, FENCE, FIRST_INTEGER, FIRST_VECTOR, Branch, Op

__all__ = ["decode"]

LINKS = (1, 5)  # ra and t0: the registers by which calls and returns are told apart
RA, SP = 1, 2

LOAD, LOAD_FP, FENCES, OP_IMM, AUIPC, OP_IMM_32, STORE, STORE_FP, AMO, OP, LUI, OP_32 = (
    0x03, 0x07, 0x0F, 0x13, 0x17, 0x1B, 0x23, 0x27, 0x2F, 0x33, 0x37, 0x3B,
)  # fmt: skip
FMADD, FMSUB, FNMSUB, FNMADD, OP_FP, OP_V, BRANCH, JALR, JAL, SYSTEM = (
    0x43, 0x47, 0x4B, 0x4F, 0x53, 0x57, 0x63, 0x67, 0x6F, 0x73,
)  # fmt: skip

# Bits 31..27 of OP-FP -> class, number of floating-point sources (0: an integer one), integer destination.
FP_FUNCTIONS = {
    0x00: (Op.FP_ADD, 2, False),  # add
    0x01: (Op.FP_ADD, 2, False),  # subtract
    0x02: (Op.FP_MUL, 2, False),
    0x03: (Op.FP_DIV, 2, False),
    0x0B: (Op.FP_SQRT, 1, False),
    0x04: (Op.FP_CVT, 2, False),  # sign injection: moves, absolute values, negation
    0x05: (Op.FP_ADD, 2, False),  # minimum and maximum
    0x08: (Op.FP_CVT, 1, False),  # between precisions
    0x14: (Op.FP_ADD, 2, True),  # comparisons
    0x18: (Op.FP_CVT, 1, True),  # to integers
    0x1A: (Op.FP_CVT, 0, False),  # from integers
    0x1C: (Op.FP_CVT, 1, True),  # bits to an integer register, classify
    0x1E: (Op.FP_CVT, 0, False),  # bits from an integer register
}


def x(number: int) -> int:
    """Our number of an integer register; 0 for the zero register, which is no register."""
    return FIRST_INTEGER + number if number else 0


def f(number: int) -> int:
    """Our number of a floating-point register."""
    return FIRST_VECTOR + number


def _some(*registers: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys(r for r in registers if r))


def _made(
    op: Op, sources: tuple[int, ...] = (), destinations: tuple[int, ...] = (), flags: int = 0
) -> Decoded:
    if op in (Op.INT, Op.MUL, Op.DIV) and not any(destinations) and not flags:
        return Decoded()  # a hint, such as the canonical nop: its only effect would be on the zero register
    return Decoded(op, op, Branch.NONE, flags, _some(*sources), _some(*destinations))


def decode(code: bytes, pc: int = 0) -> Decoded:
    """Decode an instruction of two or four bytes.

    Parameters:
        code: its bytes; what is none becomes class SYSTEM.
        pc: not needed here.

    Example:
        >>> decode(bytes.fromhex("02b50533")[::-1]).op.name  # mul a0, a0, a1
        'MUL'
        >>> decode(bytes.fromhex("8082")[::-1]).branch.name  # ret
        'RETURN'
    """
    if len(code) == 2:
        return _compressed(int.from_bytes(code, "little"))
    if len(code) == 4:
        return _full(int.from_bytes(code, "little"))
    return _made(Op.SYSTEM, flags=FENCE)


def _jump_and_link(rd: int) -> Decoded:
    branch = Branch.CALL if rd in LINKS else Branch.JUMP
    return Decoded(branch=branch, destinations=_some(x(rd)))


def _jump_register(rd: int, rs1: int) -> Decoded:
    if rd in LINKS:
        # Two different links swap coroutines: a return and a call at once.
        branch = Branch.OTHER if rs1 in LINKS and rs1 != rd else Branch.INDIRECT_CALL
    else:
        branch = Branch.RETURN if rs1 in LINKS else Branch.INDIRECT_JUMP
    return Decoded(branch=branch, sources=_some(x(rs1)), destinations=_some(x(rd)))


def _full(word: int) -> Decoded:
    opcode, rd, function = word & 0x7F, word >> 7 & 31, word >> 12 & 7
    rs1, rs2, top = word >> 15 & 31, word >> 20 & 31, word >> 25
    if opcode in (OP_IMM, OP_IMM_32):
        return _made(Op.INT, (x(rs1),), (x(rd),))
    if opcode in (OP, OP_32):
        op = (Op.MUL if function < 4 else Op.DIV) if top == 1 else Op.INT
        return _made(op, (x(rs1), x(rs2)), (x(rd),))
    if opcode in (LUI, AUIPC):
        return _made(Op.INT, (), (x(rd),))
    if opcode == LOAD:
        return _made(Op.NOP, (x(rs1),), (x(rd),))
    if opcode == STORE:
        return _made(Op.NOP, (x(rs1), x(rs2)))
    if opcode == BRANCH:
        return Decoded(branch=Branch.CONDITIONAL, sources=_some(x(rs1), x(rs2)))
    if opcode == JAL:
        return _jump_and_link(rd)
    if opcode == JALR:
        return _jump_register(rd, rs1)
    return _rarer(word)


def _rarer(word: int) -> Decoded:
    opcode, rd, function = word & 0x7F, word >> 7 & 31, word >> 12 & 7
    rs1, rs2, rs3 = word >> 15 & 31, word >> 20 & 31, word >> 27
    if opcode in (LOAD_FP, STORE_FP):
        if function not in (1, 2, 3, 4):  # widths of vector elements
            return _made(Op.SIMD, (x(rs1),))
        if opcode == LOAD_FP:
            return _made(Op.NOP, (x(rs1),), (f(rd),))
        return _made(Op.NOP, (x(rs1), f(rs2)))
    if opcode in (FMADD, FMSUB, FNMSUB, FNMADD):
        return _made(Op.FP_FMA, (f(rs1), f(rs2), f(rs3)), (f(rd),))
    if opcode == OP_FP:
        op, count, integer = FP_FUNCTIONS.get(rs3, (Op.SYSTEM, 0, False))
        sources = (f(rs1), f(rs2))[:count] if count else (x(rs1),)
        return _made(op, sources, (x(rd) if integer else f(rd),))
    if opcode == AMO:  # load-reserved and store-conditional do no arithmetic, and swap neither
        op = Op.NOP if rs3 in (1, 2, 3) else Op.INT
        return _made(op, (x(rs1), x(rs2)), (x(rd),), ATOMIC)
    if opcode == FENCES:
        return _made(Op.NOP, flags=FENCE)
    if opcode == OP_V:
        return _made(Op.SIMD)
    if opcode == SYSTEM and function:  # of the status registers; an immediate stands where a register may
        return _made(Op.SYSTEM, (x(rs1),) if function < 4 else (), (x(rd),), FENCE)
    return _made(Op.SYSTEM, flags=FENCE)


def _compressed(half: int) -> Decoded:
    if half & 3 == 0:
        return _quadrant_0(half)
    return _quadrant_1(half) if half & 3 == 1 else _quadrant_2(half)


def _quadrant_0(half: int) -> Decoded:
    function, base, other = half >> 13, 8 + (half >> 7 & 7), 8 + (half >> 2 & 7)
    if function == 0:  # addi4spn; all zeros are no instruction
        return _made(Op.INT, (x(SP),), (x(other),)) if half else _made(Op.SYSTEM, flags=FENCE)
    if function == 1:
        return _made(Op.NOP, (x(base),), (f(other),))
    if function < 4:
        return _made(Op.NOP, (x(base),), (x(other),))
    if function == 5:
        return _made(Op.NOP, (x(base), f(other)))
    if function > 5:
        return _made(Op.NOP, (x(base), x(other)))
    return _made(Op.SYSTEM, flags=FENCE)


def _quadrant_1(half: int) -> Decoded:
    function, rd, short, other = half >> 13, half >> 7 & 31, 8 + (half >> 7 & 7), 8 + (half >> 2 & 7)
    if function in (0, 1):  # addi and addiw
        return _made(Op.INT, (x(rd),), (x(rd),))
    if function == 2 or (function == 3 and rd != SP):  # li and lui
        return _made(Op.INT, (), (x(rd),))
    if function == 3:  # addi16sp
        return _made(Op.INT, (x(SP),), (x(SP),))
    if function == 4:
        sources = (x(short), x(other)) if half >> 10 & 3 == 3 else (x(short),)
        return _made(Op.INT, sources, (x(short),))
    if function == 5:
        return _jump_and_link(0)
    return Decoded(branch=Branch.CONDITIONAL, sources=_some(x(short)))


def _quadrant_2(half: int) -> Decoded:
    function, rd, rs2 = half >> 13, half >> 7 & 31, half >> 2 & 31
    if function == 0:  # slli
        return _made(Op.INT, (x(rd),), (x(rd),))
    if function == 1:
        return _made(Op.NOP, (x(SP),), (f(rd),))
    if function < 4:
        return _made(Op.NOP, (x(SP),), (x(rd),))
    if function == 5:
        return _made(Op.NOP, (x(SP), f(rs2)))
    if function > 5:
        return _made(Op.NOP, (x(SP), x(rs2)))
    link = half >> 12 & 1
    if rs2:  # add and mv
        return _made(Op.INT, (x(rd), x(rs2)) if link else (x(rs2),), (x(rd),))
    if rd:
        return _jump_register(RA if link else 0, rd)
    return _made(Op.SYSTEM, flags=FENCE)  # ebreak

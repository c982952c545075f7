"""x86-64 instructions, taken apart by capstone: class of arithmetic, registers, kind of branch.

Two liberties are taken, as the processors of this kind take them. The stack pointer is no destination of push, pop,
call and return: a stack engine keeps its value ahead of execution. And `xor r, r` and its like have no sources, since
their result does not depend on them.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

from hwmodel.cryo._decode import Decode, Decoded
from hwmodel.cryo.trace import ATOMIC, FENCE, FIRST_INTEGER, FIRST_VECTOR, FLAGS_REGISTER, Branch, Op
from hwmodel.errors import ToolError

__all__ = ["decoder", "register_number"]

GENERAL = ("ax", "cx", "dx", "bx", "sp", "bp", "si", "di")
RAX, RDX, RSP = FIRST_INTEGER, FIRST_INTEGER + 2, FIRST_INTEGER + 4
X87 = (
    FIRST_VECTOR + 16
)  # mm0 to mm7, and the whole stack of the x87, of which it is not known where its top is

MOVES = re.compile(
    r"v?(mov(|abs|zx|sx|sxd|be|nti|[aeu]p[sd]|[hl]p[sd]|hlps|lhps|s[sd]|[dq]|dq[au]?\d*|ntdqa?|ntp[sd]|ntq|dq2q|q2dq)"
    r"|lddqu|broadcast\w*|pbroadcast[bwdq])$"
)
STACK = re.compile(r"(push|pop|pushfq?|popfq?|enter|leave|call|ret)$")
STRINGS = re.compile(r"(movs|stos|lods)[bwdq]$")
NOTHING = re.compile(r"(nop|endbr64|endbr32|pause|fnop|prefetch\w*|vzeroupper|vzeroall|emms)$")
FENCES = re.compile(r"([lms]fence|serialize)$")
SERIAL = re.compile(
    r"(syscall|sysenter|sysret|int\d*|iret[dq]?|cpuid|rdtscp?|rdpmc|xgetbv|xsave\w*|xrstor\w*|fxsave\d*|fxrstor\d*|"
    r"ldmxcsr|fldcw|fldenv|hlt|ud[012]|rdrand|rdseed|wrfsbase|wrgsbase|in|out)$"
)
# The first that fits; of what has vector or x87 registers.
FLOATING = (
    (
        re.compile(r"vf?n?m(add|sub|addsub|subadd)\d*[ps][sd]$|vfn?m(add|sub|addsub|subadd)\d+[ps][sd]$"),
        Op.FP_FMA,
    ),
    (re.compile(r"v?(add|sub|min|max|addsub|hadd|hsub|u?comi|cmp\w*|round)[ps][sd]$"), Op.FP_ADD),
    (re.compile(r"v?mul[ps][sd]$|v?r(cp|sqrt)[ps]s$|v?dpp[sd]$"), Op.FP_MUL),
    (re.compile(r"v?div[ps][sd]$"), Op.FP_DIV),
    (re.compile(r"v?sqrt[ps][sd]$"), Op.FP_SQRT),
    (re.compile(r"v?cvt\w+$"), Op.FP_CVT),
    (
        re.compile(
            r"fi?(add|sub|subr|com|comp)p?$|fu?com(i|p|pp|pi|ip)?$|fu?comip$|f(abs|chs|tst|xam|rndint)$"
        ),
        Op.FP_ADD,
    ),
    (re.compile(r"fi?mulp?$"), Op.FP_MUL),
    (re.compile(r"fi?divr?p?$|fprem1?$"), Op.FP_DIV),
    (re.compile(r"f(sqrt|sin|cos|sincos|ptan|patan|2xm1|yl2x|yl2xp1|scale|xtract)$"), Op.FP_SQRT),
    (re.compile(r"f(ild|istp?|isttp|bld|bstp)$"), Op.FP_CVT),
)
X87_MOVES = re.compile(r"f(ld\w*|st|stp|xch|free|cmov\w+|nstcw|nstsw|incstp|decstp|ninit|nclex)$")
X87_LOADS = re.compile(r"f(ld\w*|ild|bld|ninit)$")
X87_STORES = re.compile(r"f(i?st|nstcw|nstsw)$")  # those that pop change the stack
CONDITIONAL = re.compile(r"(loop(e|ne)?|j[er]?cxz)$")
ZEROING = re.compile(r"(xor|sub|v?pxor[dq]?|v?xorp[sd]|v?psub[bwdq])$")
MULTIPLY = re.compile(r"(imul|mulx?)$")


@functools.cache
def register_number(name: str) -> int:
    """Return our number of a register; 0 for those that are not followed, such as the instruction pointer.

    Example:
        >>> [register_number(n) for n in ("rax", "al", "r15d", "rsp", "xmm0", "ymm0", "rflags", "rip", "st(1)")]
        [1, 1, 16, 5, 33, 33, 65, 0, 49]
    """
    if name in ("rflags", "eflags", "flags"):
        return FLAGS_REGISTER
    match = re.match(r"[xyz]mm(\d+)$", name)
    if match:
        return FIRST_VECTOR + int(match[1]) % 32
    if name.startswith("mm"):
        return X87 + int(name[2:])
    if name.startswith("st"):
        return X87
    match = re.match(r"r(\d+)[dwb]?$", name)
    if match:
        return FIRST_INTEGER + int(match[1])
    short = re.sub(r"^[re](?=[a-z]{2}$)", "", name)
    for number, general in enumerate(GENERAL):
        if short in (
            general,
            f"{general}l",
            f"{general[0]}l" if number < 4 else "",
            f"{general[0]}h" if number < 4 else "",
        ):
            return FIRST_INTEGER + number
    return 0


def decoder() -> Decode:
    """Return a decoder of x86-64 instructions.

    Raises:
        ToolError: capstone is not installed.

    Example:
        >>> decode = decoder()
        >>> decode(bytes.fromhex("480faf03"), 0).op_with_memory.name  # imul rax, [rbx]
        'MUL'
    """
    try:
        import capstone
    except ImportError:
        raise ToolError(
            'recording x86-64 programs needs capstone; install the extra "trace" (pip install "hwmodel[trace]")'
        ) from None
    machine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    machine.detail = True

    def decode(code: bytes, pc: int) -> Decoded:
        instruction = next(machine.disasm(code, pc, 1), None)
        if instruction is None:  # newer than capstone
            return Decoded(Op.SIMD, Op.SIMD)
        return _decoded(instruction, capstone)

    return decode


@dataclass(frozen=True)
class _Name:
    """What the name of an instruction says."""

    without_registers: bool
    moves_stack: bool
    string: bool
    serial: bool
    x87_source: bool
    x87_destination: bool


@functools.cache
def _name(name: str) -> _Name:
    x87 = name[0] == "f" and bool(X87_MOVES.match(name) or any(p.match(name) for p, _ in FLOATING))
    return _Name(
        bool(NOTHING.match(name)) and not name.startswith("prefetch"),
        bool(STACK.match(name)) and name not in ("enter", "leave"),
        bool(STRINGS.match(name)),
        bool(FENCES.match(name) or SERIAL.match(name)),
        x87 and not X87_LOADS.match(name),
        x87 and not X87_STORES.match(name),
    )


def _decoded(instruction: Any, capstone: Any) -> Decoded:
    *prefixes, name = instruction.mnemonic.split()
    says = _name(name)
    operands = [
        (o.type, register_number(instruction.reg_name(o.reg)) if o.type == capstone.x86.X86_OP_REG else 0, o)
        for o in instruction.operands
    ]
    first = operands[0][0] if operands else None
    branch = _branch(name, first == capstone.x86.X86_OP_IMM, instruction.group(capstone.CS_GRP_JUMP))
    reads, writes = instruction.regs_access()
    sources = [register_number(instruction.reg_name(r)) for r in reads]
    destinations = [register_number(instruction.reg_name(r)) for r in writes]
    written = first == capstone.x86.X86_OP_REG and operands[0][2].access & capstone.CS_AC_WRITE
    if written and (operands[0][2].size < 4 or name.startswith("cmov")):  # the rest of it, or all, may stay
        sources.append(operands[0][1])
    if ZEROING.match(name) and _is_zeroing(operands):
        sources = []
    _correct(name, says, sources, destinations)
    memory = any(kind == capstone.x86.X86_OP_MEM for kind, _, _ in operands)
    vector = any(FIRST_VECTOR <= number < FLAGS_REGISTER for _, number, _ in operands)
    with_memory, alone = _classes(name, branch, vector, memory)
    atomic = "lock" in prefixes or (name == "xchg" and memory)
    return Decoded(
        alone,
        with_memory,
        branch,
        (ATOMIC if atomic else 0) | (FENCE if says.serial else 0),
        tuple(dict.fromkeys(r for r in sources if r)),
        tuple(dict.fromkeys(r for r in destinations if r)),
    )


def _correct(name: str, says: _Name, sources: list[int], destinations: list[int]) -> None:
    """Add what capstone leaves out, and take out what does not count."""
    if says.without_registers:
        sources.clear()
        destinations.clear()
    if (
        says.string and FLAGS_REGISTER in sources
    ):  # the direction, which is renamed by itself and hardly ever changes
        sources.remove(FLAGS_REGISTER)
    if says.moves_stack and RSP in destinations:
        destinations.remove(RSP)
    if name.startswith("cmpxchg"):
        destinations += [RAX, FLAGS_REGISTER] if name == "cmpxchg" else [RAX, RDX, FLAGS_REGISTER]
    if says.x87_source:
        sources.append(X87)
    if says.x87_destination:
        destinations.append(X87)


def _is_zeroing(operands: list[tuple[int, int, Any]]) -> bool:
    """Whether the last two operands are the same whole register."""
    if len(operands) < 2 or operands[0][2].size < 4:
        return False
    (kind, number, one), (other_kind, _, other) = operands[-2:]
    return bool(number and kind == other_kind and one.reg == other.reg)


def _branch(name: str, direct: bool, jump: bool) -> Branch:
    if name in ("call", "lcall"):
        return Branch.CALL if direct else Branch.INDIRECT_CALL
    if name in ("ret", "retf", "retfq"):
        return Branch.RETURN
    if name in ("jmp", "ljmp"):
        return Branch.JUMP if direct else Branch.INDIRECT_JUMP
    if jump or CONDITIONAL.match(name):
        return Branch.CONDITIONAL
    return Branch.OTHER if name in ("iret", "iretd", "iretq", "sysret") else Branch.NONE


@functools.cache
def _classes(name: str, branch: Branch, vector: bool, memory: bool) -> tuple[Op, Op]:
    """Classes with a memory operand that was used, and without one."""
    if branch or NOTHING.match(name) or FENCES.match(name):
        return Op.NOP, Op.NOP
    if SERIAL.match(name):
        return Op.SYSTEM, Op.SYSTEM
    if STACK.match(name) or (STRINGS.match(name) and not vector):
        return Op.NOP, Op.NOP if STACK.match(name) else Op.INT
    for pattern, op in FLOATING:
        if pattern.match(name) and (vector or name[0] in "fv" or memory) and not name.startswith("cmpxchg"):
            return op, op
    if X87_MOVES.match(name):
        return Op.NOP, Op.FP_CVT
    alone = Op.SIMD if vector else Op.INT
    if MOVES.match(name):
        return Op.NOP, alone
    if MULTIPLY.match(name):
        return Op.MUL, Op.MUL
    if name in ("div", "idiv"):
        return Op.DIV, Op.DIV
    return alone, alone

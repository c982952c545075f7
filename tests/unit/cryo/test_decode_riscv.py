"""The RISC-V decoder against the disassembler of GNU binutils, on every compressed code and on random words."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hwmodel.cryo._decode import VARIANT_DTYPE, Decoded, Tabulator
from hwmodel.cryo._decode_riscv import decode
from hwmodel.cryo.trace import ATOMIC, FENCE, Branch, Op

OBJDUMP = "riscv64-linux-gnu-objdump"
STORES = re.compile(r"(f?s[bhwdq]|f?s[wd]sp)$")
LOADS = re.compile(r"(f?l[bhwd]u?|f?l[wd]sp)$")
BRANCHES = re.compile(r"(b(eq|ne|lt|ge)(u|z)?)$")
TWO_ADDRESS = [
    "add",
    "addi",
    "addiw",
    "addi16sp",
    "slli",
    "srli",
    "srai",
    "andi",
    "sub",
    "xor",
    "or",
    "and",
    "subw",
    "addw",
]
OPERATIONS = (
    (r"(add|sub|sll|srl|sra|slt|sltu|xor|or|and)i?w?|sltiu|lui|auipc|li|mv|addi16sp|addi4spn|nop", Op.INT),
    (r"mul(h|hsu|hu|w)?", Op.MUL),
    (r"(div|rem)u?w?", Op.DIV),
    (r"f(add|sub|min|max|eq|lt|le)\.[sd]", Op.FP_ADD),
    (r"fmul\.[sd]", Op.FP_MUL),
    (r"fdiv\.[sd]", Op.FP_DIV),
    (r"fsqrt\.[sd]", Op.FP_SQRT),
    (r"fcvt\.\w+\.\w+|fsgnj[nx]?\.[sd]|fclass\.[sd]|fmv\.\w+\.\w+", Op.FP_CVT),
    (r"fn?m(add|sub)\.[sd]", Op.FP_FMA),
    (r"amo(add|and|or|xor|max|maxu|min|minu)\.[wd](\.aq|\.rl|\.aqrl)?", Op.INT),
    (r"(lr|sc|amoswap)\.[wd](\.aq|\.rl|\.aqrl)?|fence(\.i|\.tso)?", Op.NOP),
    (r"ecall|ebreak|csrr[wsc]i?", Op.SYSTEM),
)


def number(register: str) -> int:
    value = int(register[1:])
    return 33 + value if register[0] == "f" else 1 + value if value else 0


def disassembled(codes: bytes, folder: Path) -> dict[int, tuple[bytes, str, str]]:
    """Address -> code, mnemonic and operands."""
    if shutil.which(OBJDUMP) is None:
        pytest.skip(f"{OBJDUMP} is not installed (Debian: binutils-riscv64-linux-gnu)")
    file = folder / "codes.bin"
    file.write_bytes(codes)
    command = [OBJDUMP, "-b", "binary", "-m", "riscv:rv64", "-D", "-M", "numeric,no-aliases", str(file)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {}
    for match in re.finditer(r"^\s*([0-9a-f]+):\t([0-9a-f]+)[ \t]+(\S+)[ \t]*([^#<\n]*)", text, re.MULTILINE):
        code = int(match[2], 16).to_bytes(len(match[2]) // 2, "little")
        found[int(match[1], 16)] = (code, match[3], match[4].strip())
    return found


def expected(name: str, operands: str) -> Decoded | None:
    """What the text of an instruction means; None for one of no extension that is known here."""
    short = name.removeprefix("c.")
    registers = [number(r) for r in re.findall(r"\b[xf]\d+\b", operands)]
    compressed = name.startswith("c.")
    if STORES.match(short):
        return made(Op.NOP, registers, [])
    if LOADS.match(short):
        return made(Op.NOP, registers[1:], registers[:1])
    if BRANCHES.match(short):
        return made(Op.NOP, registers, [], Branch.CONDITIONAL)
    if short in ("j", "jal", "jr", "jalr"):
        return jump(short, registers)
    op = next((op for pattern, op in OPERATIONS if re.fullmatch(pattern, short)), None)
    if op is None:
        return None
    flags = (
        ATOMIC
        if re.match(r"amo|lr|sc", short)
        else FENCE
        if op is Op.SYSTEM or short.startswith("fence")
        else 0
    )
    sources = registers[1:] + (registers[:1] if compressed and short in TWO_ADDRESS else [])
    if short.startswith("amo") or short.startswith("sc."):
        sources = registers[1:]
    if op in (Op.INT, Op.MUL, Op.DIV) and not flags and not any(registers[:1]):  # a hint
        return made(Op.NOP, [], [])
    return made(op, sources, registers[:1], flags=flags)


def jump(name: str, registers: list[int]) -> Decoded:
    links = (2, 6)
    if name == "j":
        return made(Op.NOP, [], [], Branch.JUMP)
    if name == "jal":
        return made(Op.NOP, [], registers, Branch.CALL if registers[0] in links else Branch.JUMP)
    rd, rs1 = registers if len(registers) == 2 else (2 if name == "jalr" else 0, registers[0])
    if rd in links:
        kind = Branch.OTHER if rs1 in links and rs1 != rd else Branch.INDIRECT_CALL
    else:
        kind = Branch.RETURN if rs1 in links else Branch.INDIRECT_JUMP
    return made(Op.NOP, [rs1], [rd], kind)


def made(
    op: Op, sources: list[int], destinations: list[int], branch: Branch = Branch.NONE, flags: int = 0
) -> Decoded:
    some = [tuple(dict.fromkeys(r for r in registers if r)) for registers in (sources, destinations)]
    return Decoded(op, op, branch, flags, *some)


def plain(d: Decoded) -> tuple[object, ...]:
    return (d.op.name, d.branch.name, d.flags, sorted(d.sources), sorted(d.destinations))


def compare(codes: bytes, folder: Path) -> int:
    """Compare every code that is known; give how many there were."""
    count = 0
    for code, name, operands in disassembled(codes, folder).values():
        wanted = expected(name, operands)
        if wanted is not None:
            assert plain(decode(code)) == plain(wanted), f"{code[::-1].hex()}: {name} {operands}"
            count += 1
    return count


def test_every_compressed_instruction(tmp_path: Path) -> None:
    codes = b"".join(half.to_bytes(2, "little") for half in range(1, 1 << 16) if half & 3 != 3)
    assert compare(codes, tmp_path) > 40_000


def test_random_words_of_every_opcode(tmp_path: Path) -> None:
    draw = random.Random(1)
    opcodes = [
        0x03,
        0x07,
        0x13,
        0x17,
        0x1B,
        0x23,
        0x27,
        0x33,
        0x37,
        0x3B,
        0x43,
        0x47,
        0x4B,
        0x4F,
        0x63,
        0x67,
        0x6F,
    ]
    words = [draw.getrandbits(25) << 7 | opcode for opcode in opcodes for _ in range(400)]
    # Fields that are free in most words select a function in these.
    words += [
        draw.choice([0, 1, 32]) << 25 | draw.getrandbits(18) << 7 | o
        for o in (0x33, 0x3B)
        for _ in range(800)
    ]
    words += [
        draw.getrandbits(7) << 25 | draw.randrange(4) << 20 | draw.getrandbits(13) << 7 | 0x53
        for _ in range(6000)
    ]
    words += [
        draw.getrandbits(20) << 12 | draw.choice([2, 3]) << 12 | draw.getrandbits(5) << 7 | 0x2F
        for _ in range(4000)
    ]
    words += [0x100F, 0x0FF0000F, 0x8330000F, 0x73, 0x100073, 0xC0002573, 0x00351073, 0x0023D073]
    assert compare(b"".join(word.to_bytes(4, "little") for word in words), tmp_path) > 5_000


def test_what_is_no_instruction_becomes_system() -> None:
    for code in (b"\0\0", b"\xff\xff\xff\xff", b"\x1f\0\0\0\0\0"):
        assert decode(code).op in (Op.SYSTEM, Op.NOP)
    assert decode(b"\0\0").op is Op.SYSTEM


def test_too_many_registers_are_dropped_and_counted() -> None:
    variants = np.zeros(2, VARIANT_DTYPE)
    variants["size"] = 4
    variants["pc"] = [0, 4]
    table = Tabulator(lambda code, pc: Decoded(sources=tuple(range(1, 9)), destinations=(1, 2, 3, 4, 5)))
    records = table(variants)
    assert records["sources"].tolist() == [[1, 2, 3, 4, 5, 6]] * 2
    assert records["destinations"].tolist() == [[1, 2, 3, 4]] * 2
    assert table.registers_dropped == 6

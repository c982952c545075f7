"""The x86-64 decoder: instructions whose registers and kinds are taken from the manual of the instruction set."""

from __future__ import annotations

import sys

import pytest

from hwmodel.cryo._decode_x86 import decoder
from hwmodel.cryo.trace import ATOMIC, FENCE, Branch, Op
from hwmodel.errors import ToolError

NAMES = ("ax", "cx", "dx", "bx", "sp", "bp", "si", "di", *(f"r{n}" for n in range(8, 16)))


@pytest.fixture(scope="module")
def decode():
    pytest.importorskip("capstone", reason="capstone is not installed (extra trace)")
    return decoder()


def name(register: int) -> str:
    if register <= 16:
        return NAMES[register - 1]
    return "flags" if register == 65 else f"v{register - 33}"


# Code, text, class with a memory operand, class without, sources, destinations.
PLAIN = [
    ("4801d8", "add rax, rbx", Op.INT, Op.INT, "ax bx", "ax flags"),
    ("480303", "add rax, [rbx]", Op.INT, Op.INT, "ax bx", "ax flags"),
    ("4811d8", "adc rax, rbx", Op.INT, Op.INT, "ax bx flags", "ax flags"),
    ("48890b", "mov [rbx], rcx", Op.NOP, Op.INT, "bx cx", ""),
    ("488b0cf3", "mov rcx, [rbx+rsi*8]", Op.NOP, Op.INT, "bx si", "cx"),
    ("4889d8", "mov rax, rbx", Op.NOP, Op.INT, "bx", "ax"),
    ("88c3", "mov bl, al: the rest of the register stays", Op.NOP, Op.INT, "ax bx", "bx"),
    ("0fb6c3", "movzx eax, bl", Op.NOP, Op.INT, "bx", "ax"),
    ("488d5408", "lea rdx, [rax+rcx+...]", Op.INT, Op.INT, "ax cx", "dx"),
    ("31c0", "xor eax, eax: no source", Op.INT, Op.INT, "", "ax flags"),
    ("31c8", "xor eax, ecx", Op.INT, Op.INT, "ax cx", "ax flags"),
    ("480f45d8", "cmovne rbx, rax", Op.INT, Op.INT, "ax bx flags", "bx"),
    ("480fafc1", "imul rax, rcx", Op.MUL, Op.MUL, "ax cx", "ax flags"),
    ("48f7e1", "mul rcx", Op.MUL, Op.MUL, "ax cx", "ax dx flags"),
    ("48f7f1", "div rcx", Op.DIV, Op.DIV, "ax cx dx", "ax dx flags"),
    ("48d3e0", "shl rax, cl", Op.INT, Op.INT, "ax cx", "ax flags"),
    ("50", "push rax: the stack engine keeps the pointer", Op.NOP, Op.NOP, "ax sp", ""),
    ("5b", "pop rbx", Op.NOP, Op.NOP, "sp", "bx"),
    ("c9", "leave", Op.NOP, Op.NOP, "bp sp", "bp sp"),
    ("0f1f0400", "nop [rax+rax]", Op.NOP, Op.NOP, "", ""),
    ("f30f1efa", "endbr64", Op.NOP, Op.NOP, "", ""),
    ("f30f58c8", "addss xmm1, xmm0", Op.FP_ADD, Op.FP_ADD, "v0 v1", "v1"),
    ("f20f58c8", "addsd xmm1, xmm0", Op.FP_ADD, Op.FP_ADD, "v0 v1", "v1"),
    ("660f5910", "mulpd xmm2, [rax]", Op.FP_MUL, Op.FP_MUL, "ax v2", "v2"),
    ("f20f5ed1", "divsd xmm2, xmm1", Op.FP_DIV, Op.FP_DIV, "v1 v2", "v2"),
    ("f20f51d1", "sqrtsd xmm2, xmm1", Op.FP_SQRT, Op.FP_SQRT, "v1", "v2"),
    ("f20f2ad0", "cvtsi2sd xmm2, eax", Op.FP_CVT, Op.FP_CVT, "ax", "v2"),
    ("660f2ec8", "ucomisd xmm1, xmm0", Op.FP_ADD, Op.FP_ADD, "v0 v1", "flags"),
    ("c4e2e9b8d9", "vfmadd231pd xmm3, xmm2, xmm1", Op.FP_FMA, Op.FP_FMA, "v1 v2 v3", "v3"),
    ("c5edfed9", "vpaddd ymm3, ymm2, ymm1", Op.SIMD, Op.SIMD, "v1 v2", "v3"),
    ("660fefc0", "pxor xmm0, xmm0: no source", Op.SIMD, Op.SIMD, "", "v0"),
    ("0f1000", "movups xmm0, [rax]", Op.NOP, Op.SIMD, "ax", "v0"),
    ("a4", "movsb", Op.NOP, Op.INT, "di si", "di si"),
    ("f348ab", "rep stosq", Op.NOP, Op.INT, "ax cx di", "cx di"),
    ("dd00", "fld [rax]: the stack of the x87 is one register", Op.NOP, Op.FP_CVT, "ax", "v16"),
    ("dc08", "fmul [rax]", Op.FP_MUL, Op.FP_MUL, "ax v16", "v16"),
]


@pytest.mark.parametrize(("code", "text", "with_memory", "alone", "sources", "destinations"), PLAIN)
def test_class_and_registers(
    decode, code: str, text: str, with_memory: Op, alone: Op, sources: str, destinations: str
) -> None:
    found = decode(bytes.fromhex(code) + (b"\x08" if text.startswith("lea") else b""), 0)
    assert sorted(map(name, found.sources)) == sources.split(), text
    assert sorted(map(name, found.destinations)) == destinations.split(), text
    assert (found.op_with_memory, found.op) == (with_memory, alone), text
    assert (found.branch, found.flags) == (Branch.NONE, 0), text


@pytest.mark.parametrize(
    ("code", "branch", "sources"),
    [
        ("7405", Branch.CONDITIONAL, "flags"),
        ("0f8405000000", Branch.CONDITIONAL, "flags"),
        ("e305", Branch.CONDITIONAL, "cx"),
        ("eb05", Branch.JUMP, ""),
        ("e905000000", Branch.JUMP, ""),
        ("ffe0", Branch.INDIRECT_JUMP, "ax"),
        ("ff20", Branch.INDIRECT_JUMP, "ax"),
        ("e805000000", Branch.CALL, "sp"),
        ("ffd0", Branch.INDIRECT_CALL, "ax sp"),
        ("c3", Branch.RETURN, "sp"),
        ("f2c3", Branch.RETURN, "sp"),
        ("48cf", Branch.OTHER, None),
    ],
)
def test_kinds_of_branches(decode, code: str, branch: Branch, sources: str | None) -> None:
    found = decode(bytes.fromhex(code), 0x1000)
    assert found.branch == branch
    if sources is not None:
        assert (sorted(map(name, found.sources)), found.destinations) == (sources.split(), ())


@pytest.mark.parametrize(
    ("code", "flags", "op"),
    [
        ("f0830701", ATOMIC, Op.INT),
        ("f0480fb10f", ATOMIC, Op.INT),
        ("488707", ATOMIC, Op.INT),
        ("4893", 0, Op.INT),
        ("0faef0", FENCE, Op.NOP),
        ("0faee8", FENCE, Op.NOP),
        ("0f05", FENCE, Op.SYSTEM),
        ("0fa2", FENCE, Op.SYSTEM),
    ],
)
def test_atomics_and_fences_are_flagged(decode, code: str, flags: int, op: Op) -> None:
    found = decode(bytes.fromhex(code), 0)
    assert (found.flags, found.op) == (flags, op)


def test_compare_and_exchange_writes_what_it_compares_with(decode) -> None:
    found = decode(bytes.fromhex("f0480fb10f"), 0)
    assert sorted(map(name, found.destinations)) == ["ax", "flags"]


def test_what_cannot_be_decoded_is_simd(decode) -> None:
    assert decode(b"\x06", 0).op is Op.SIMD


def test_missing_capstone_is_an_error_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "capstone", None)
    with pytest.raises(ToolError, match=r"hwmodel\[trace\]"):
        decoder()

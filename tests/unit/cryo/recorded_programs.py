"""Programs whose every instruction is known, for the tests of the recorder, and what compiles them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hwmodel.cryo.trace import Trace

COMPILERS = {"riscv64": ("riscv64-linux-gnu-gcc", "qemu-riscv64"), "x86-64": ("gcc", "qemu-x86_64")}

# A loop of seven rounds that loads, adds and stores. Without a library nothing else is executed.
LOOP = {
    "riscv64": """
        .globl _start
        _start: lla a1, words
                li a0, 7
        again:  ld a2, 0(a1)
                add a2, a2, a0
                sd a2, 8(a1)
                addi a1, a1, 16
                addi a0, a0, -1
                bnez a0, again
                li a7, 93
                ecall
        .data
        .balign 64
        words:  .zero 128
    """,
    "x86-64": """
        .globl _start
        _start: leaq words(%rip), %rbx
                mov $7, %ecx
        again:  mov (%rbx), %rax
                add %rcx, %rax
                mov %rax, 8(%rbx)
                add $16, %rbx
                dec %rcx
                jnz again
                mov $60, %eax
                syscall
        .data
        .balign 64
        words:  .zero 128
    """,
}
BEFORE = {"riscv64": 3, "x86-64": 2}  # `lla` is two instructions
ROUNDS, ROUND, AFTER = 7, 6, 2

FAULTS = r"""
#include <signal.h>
#include <sys/mman.h>
static char *page;
static int faults;
static void on_fault(int number, siginfo_t *info, void *context) {
    (void)number, (void)info, (void)context;
    faults++;
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
}
int main(void) {
    struct sigaction action = {0};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, 0);
    page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int k = 0; k < 10; k++) {
        mprotect(page, 4096, PROT_READ);
#if defined(__riscv)
        __asm__ volatile("nop\n.globl the_store\nthe_store: sb x0, 0(%0)\nnop" ::"r"(page) : "memory");
#else
        __asm__ volatile("nop\n.globl the_store\nthe_store: movb $0, (%0)\nnop" ::"r"(page) : "memory");
#endif
    }
    return faults == 10 ? 0 : 1;
}
"""

THREADS = """
#include <pthread.h>
static int sum;
static void *work(void *p) {
    for (int i = 0; i < 1000; i++) __atomic_fetch_add(&sum, 1, __ATOMIC_SEQ_CST);
    return p;
}
int main(void) {
    pthread_t t[2];
    for (int i = 0; i < 2; i++) pthread_create(&t[i], 0, work, 0);
    for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
    return sum != 2000;
}
"""

FORKS = """
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    volatile int x = 0;
    pid_t child = fork();
    if (!child) {
        for (int i = 0; i < 100000; i++) x++;
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    return status != 0;
}
"""

MARKED = """
#include "hwmodel_marker.h"
static volatile int sum;
int main(void) {
    for (int k = 0; k < 3; k++) {
        sum += 1;
        hwmodel_trace_begin();
        __asm__ volatile("nop\\nnop\\nnop\\nnop\\nnop");
        hwmodel_trace_end();
    }
    return 0;
}
"""

REPLACED = """
#include <unistd.h>
int main(void) {
    volatile int x = 0;
    for (int i = 0; i < 5000; i++) x++;
    return execl("/bin/sh", "sh", "-c", "exit 4", (char *)0);
}
"""

# Of x86-64 alone: a string instruction of {n} rounds, and accesses that QEMU makes of several.
FILL = """
    .globl _start
    _start:   leaq room(%rip), %rdi
              mov ${n}, %ecx
    the_fill: rep stosb
              mov $60, %eax
              xor %edi, %edi
              syscall
    .bss
    room: .zero 64
"""
WIDE = """
    .globl _start
    _start: movups room(%rip), %xmm0
            vmovups room(%rip), %ymm1
            movups %xmm0, 16+room(%rip)
            mov $60, %eax
            xor %edi, %edi
            syscall
    .bss
    .balign 64
    room: .zero 64
"""


@dataclass(frozen=True)
class Known:
    """A compiled program and its instruction set."""

    path: Path
    isa: str

    def symbol(self, name: str) -> int:
        """Address of a symbol."""
        done = subprocess.run(["nm", str(self.path)], capture_output=True, text=True, check=True)
        lines = (line.split() for line in done.stdout.splitlines())
        return next(int(words[0], 16) for words in lines if words[-1] == name)


def need(isa: str) -> str:
    """The compiler of an instruction set; skips where it, QEMU or capstone is absent."""
    compiler, qemu = COMPILERS[isa]
    for program, package in ((compiler, compiler), (qemu, "qemu-user")):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: {package})")
    if isa == "x86-64":
        pytest.importorskip("capstone", reason="capstone is not installed (extra trace)")
    return compiler


def build(isa: str, source: str, folder: Path, *options: str, suffix: str = ".c") -> Known:
    """Compile a program."""
    file = folder / f"program{suffix}"
    file.write_text(source, encoding="utf-8")
    target = folder / "program"
    subprocess.run([need(isa), "-static", *options, "-o", str(target), str(file)], check=True)
    return Known(target, isa)


def build_bare(isa: str, source: str, folder: Path) -> Known:
    """Assemble a program without any library."""
    return build(isa, source, folder, "-nostdlib", "-Wl,--no-relax", suffix=".s")


def pcs(path: Path) -> np.ndarray:
    """Address of every instruction of a trace."""
    with Trace.open(path) as trace:
        return np.concatenate([chunk.statics["pc"][chunk.indices] for chunk in trace.chunks()])


def rows(path: Path) -> list[tuple[int, ...]]:
    """Every instruction of a trace as (pc, branch, taken, loads, stores, load size, store size, addresses...)."""
    found = []
    with Trace.open(path) as trace:
        for chunk in trace.chunks():
            at = 0
            for index, taken in zip(chunk.indices, chunk.taken, strict=True):
                s = chunk.statics[index]
                count = int(s["loads"]) + int(s["stores"])
                names = ("loads", "stores", "load_size", "store_size")
                found.append(
                    (
                        *(int(s["pc"]), int(s["branch"]), int(taken)),
                        *(int(s[name]) for name in names),
                        *chunk.addresses[at : at + count].tolist(),
                    )
                )
                at += count
    return found

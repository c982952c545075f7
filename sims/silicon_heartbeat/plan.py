"""The pre-registration: read, hashed before any data, and held against what is there afterwards."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwmodel.errors import SpecError

SHIPPED = Path(__file__).resolve().parent / "plan.toml"
FILE = "preregistration.json"
SECTIONS = ("gates", "capture", "setpoints", "h0", "h1", "h2", "h3", "h4", "h5", "controls")
HYPOTHESES = ("H0", "H1", "H2", "H3", "H4", "H5")
TESTS = (*HYPOTHESES, "H3 correlation")
# Below these a rule means nothing: hits are compared between replays, an envelope and a trial have a spread, and the task
# of H5, which comes last, would be refused after a day of data.
FEWEST = {("h0", "replays"): 2, ("h1", "bootstraps"): 20, ("h4", "trials"): 2, ("h5", "steps"): 100}


@dataclass(frozen=True)
class Plan:
    """A plan with the sizes and the seed of one run; `digest` is the SHA-256 of `text`, which holds all of it.

    Raises:
        SpecError: a section is missing, or a number has no sense.
    """

    table: Mapping[str, Any]
    seed: int
    key_digest: str
    text: bytes = field(init=False, repr=False)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        missing = [name for name in SECTIONS if name not in self.table]
        if missing:
            raise SpecError(f"plan: section [{missing[0]}] is missing; begin from {SHIPPED.name}")
        for name in ("alpha", "power"):
            if not 0 < self.table.get(name, 0) < 1:
                raise SpecError(f"plan: {name}={self.table.get(name)} must lie between 0 and 1")
        if self.table.get("chips", 0) < 2 or self.table.get("sessions", 0) < 2:
            raise SpecError("plan: chips and sessions must be 2 or more; one chip alone confirms nothing")
        for (section, name), least in FEWEST.items():
            if not self.table[section].get(name, 0) >= least:
                raise SpecError(
                    f"plan: [{section}] {name}={self.table[section].get(name)}: give {least} or more"
                )
        whole = {"plan": self.table, "seed": self.seed, "labels_sha256": self.key_digest}
        text = (json.dumps(whole, sort_keys=True, indent=1) + "\n").encode()
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "digest", hashlib.sha256(text).hexdigest())

    def __getitem__(self, section: str) -> Any:
        return self.table[section]

    @property
    def level(self) -> float:
        """Level of the first step of Holm: what a single test must reach."""
        return float(self.table["alpha"]) / len(TESTS)


def read_plan(path: str, sizes: Mapping[str, float], seed: int, key_digest: str) -> Plan:
    """Read a plan and put the sizes of a run into it: "h1.session_s" -> value; zeros change nothing.

    Raises:
        SpecError: no such file, no TOML, or a section is missing.
    """
    file = Path(path) if path else SHIPPED
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"plan={path!r}: {error.strerror}; give a TOML file, or leave it empty") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{file.name}: not valid TOML: {error}") from error
    for place, value in sizes.items():
        section, name = place.split(".")
        if value and section in table:
            table[section][name] = value
    return Plan(table, seed, key_digest)


class Registration:
    """A plan laid down in a folder before data: every data set is stamped with it, and none with another is judged.

    Parameters:
        plan: what is laid down.
        folder: where `preregistration.json` is written; `sha256sum` of that file is the digest.
        published: the digest that was made public before; empty if it was not.

    Raises:
        SpecError: the plan is not the published one.
    """

    def __init__(self, plan: Plan, folder: Path, published: str = "") -> None:
        if published and published.lower() != plan.digest:
            raise SpecError(
                f"registered={published!r}, but plan, sizes and seed of this run have {plan.digest}; run what was "
                "registered, or register anew before there are data"
            )
        self.plan, self.file = plan, folder / FILE
        self.file.write_bytes(plan.text)

    def check(self, stamps: Mapping[str, str]) -> None:
        """Before verdicts: the file must be what it was, and every data set must have been made under it.

        Raises:
            SpecError: the file or a stamp differs.
        """
        found = hashlib.sha256(self.file.read_bytes()).hexdigest() if self.file.is_file() else "nothing"
        if found != self.plan.digest:
            raise SpecError(
                f"{self.file.name} was changed after data were taken: {self.plan.digest[:16]} was registered, "
                f"{found[:16]} is there; no verdict"
            )
        odd = {name: stamp for name, stamp in stamps.items() if stamp != self.plan.digest}
        if odd:
            name, stamp = next(iter(odd.items()))
            raise SpecError(
                f"data set {name} was taken under the plan {stamp[:16]}, this one is {self.plan.digest[:16]}; no verdict"
            )


def holm(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Adjusted p of each test; those that were not made (None) still count, so that a gate never helps the others."""
    known = sorted((p, name) for name, p in values.items() if p is not None)
    adjusted: dict[str, float | None] = dict.fromkeys(values)
    highest = 0.0
    for place, (p, name) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(values) - place)))
        adjusted[name] = highest
    return adjusted

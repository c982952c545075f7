"""Checkpoints: the whole state of a run in one .npz file, without pickles."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hwmodel.errors import CheckpointError, OutputError
from hwmodel.kernel._plan import Plan

FORMAT = "hwmodel checkpoint 1"


def identity_of(description: Mapping[str, Any]) -> str:
    """Hash of what was built: a checkpoint goes on only in an equal system."""
    text = json.dumps(description, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def save(path: str | os.PathLike[str], plan: Plan, identity: str, watch: list[str]) -> Path:
    """Write the state of `plan` to `path`; the file appears whole or not at all."""
    file = Path(path)
    arrays: dict[str, Any] = {}
    for node in plan.nodes:
        name = node.component.name
        for key, value in node.engine.snapshot().items():
            arrays[f"engine/{name}/{key}"] = value
        for key, value in node.recorder.save().items():
            arrays[f"record/{name}/{key}"] = value
        node.inbox.next_time()  # puts the rows in order
        arrays[f"inbox/{name}"] = node.inbox.rows[node.inbox.head : node.inbox.tail]
    meta = {
        "format": FORMAT,
        "identity": identity,
        "now": plan.now,
        "windows": plan.windows,
        "watch": watch,
        "feeds": {feed.drive.port.path: feed.drive.position for feed in plan.feeds},
        "sent": {route.name: route.sent for node in plan.nodes for route in node.links()},
    }
    arrays["meta"] = np.array(json.dumps(meta))
    partial = file.with_name(f".{file.name}.partial")
    try:
        with partial.open("wb") as out:
            np.savez_compressed(out, **arrays)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(file)
    except OSError as error:
        raise OutputError(f"cannot write '{file}': {error.strerror or error}; name another path") from error
    finally:
        partial.unlink(missing_ok=True)
    return file


class Checkpoint:
    """A checkpoint read back."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            with self.path.open("rb") as handle, np.load(handle, allow_pickle=False) as data:
                self.meta: dict[str, Any] = json.loads(str(data["meta"]))
                self.arrays = {key: data[key] for key in data.files if key != "meta"}
        except FileNotFoundError:
            raise CheckpointError(f"{self.path}: no such checkpoint") from None
        except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise CheckpointError(
                f"{self.path}: not a readable checkpoint ({error}); it may be truncated or foreign"
            ) from error
        if self.meta.get("format") != FORMAT:
            raise CheckpointError(f"{self.path}: format {self.meta.get('format')!r} is not {FORMAT!r}")

    def require(self, identity: str) -> None:
        """Refuse to go on in a system that is built otherwise."""
        if self.meta["identity"] != identity:
            raise CheckpointError(
                f"{self.path}: it was written by another system; build components, links, stimuli and seed as there"
            )

    def part(self, kind: str, name: str) -> dict[str, Any]:
        """Arrays of one component, such as its engine's snapshot."""
        prefix = f"{kind}/{name}/"
        return {
            key.removeprefix(prefix): value for key, value in self.arrays.items() if key.startswith(prefix)
        }

    def restore(self, plan: Plan) -> None:
        """Put buffers, stimuli, counts and the time back; the engines are built from their parts."""
        for node in plan.nodes:
            name = node.component.name
            node.recorder.load(self.part("record", name))
            rows = self.arrays[f"inbox/{name}"]
            if len(rows):
                node.inbox.push(rows)
            for route in node.links():
                route.sent = self.meta["sent"][route.name]
        for feed in plan.feeds:
            feed.drive.position = self.meta["feeds"][feed.drive.port.path]
        plan.now = self.meta["now"]
        plan.windows = self.meta["windows"]
        plan.refresh()

"""What a run gives back: traces, figures, a fingerprint and a manifest."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import OutputError, ResultError, unknown
from hwmodel.kernel._component import jsonable
from hwmodel.kernel._trace import Trace
from hwmodel.units import Time

# The pictures live in a package above the kernel, so they are bound by name when first asked for.
_RENDERERS = {
    "vcd": "hwmodel.report:write_vcd",
    "plot": "hwmodel.report:plot",
    "html": "hwmodel.report:write_html",
    "perfetto": "hwmodel.report:write_perfetto",
}

FORMAT = "hwmodel result 1"


def fingerprint_of(parts: Iterable[tuple[str, npt.NDArray[Any]]]) -> str:
    """Hash named arrays, in the order given, to 32 hex digits."""
    digest = hashlib.blake2b(digest_size=16)
    for name, array in parts:
        plain = np.ascontiguousarray(array)
        digest.update(f"{name}|{plain.dtype.str}|{plain.shape}|".encode())
        digest.update(plain.tobytes())
    return digest.hexdigest()


class Result:
    """Traces, stats, fingerprint and manifest of a run.

    Attributes:
        traces: `Trace` by full name.
        stats: key figures by full name, such as `net.pulses`.
        manifest: what was run: specs, topology, versions, window, seed, warnings (rule K8).
        fingerprint: hash of all traces, states and message counts; it depends on neither window
            nor runner nor the order of building (rule K6).

    Example:
        >>> result = Result({}, {"net.pulses": 3}, {"until_fs": 1000}, "00ff")
        >>> result.until, result.stats["net.pulses"]
        (ps(1), 3)
    """

    def __init__(
        self,
        traces: Mapping[str, Trace],
        stats: Mapping[str, int | float | str],
        manifest: Mapping[str, Any],
        fingerprint: str,
    ) -> None:
        self.traces = dict(traces)
        self.stats = dict(stats)
        self.manifest = dict(manifest)
        self.fingerprint = fingerprint

    @property
    def until(self) -> Time:
        """Time up to which was simulated."""
        return Time(self.manifest.get("until_fs", 0))

    def __getitem__(self, name: str) -> Trace:
        """The trace `name`; a short name such as "q" will do where only one signal ends so."""
        if name in self.traces:
            return self.traces[name]
        ends = [full for full in self.traces if full.endswith(f".{name}")]
        if len(ends) == 1:
            return self.traces[ends[0]]
        if ends:
            raise ResultError(f"trace '{name}' is ambiguous: {', '.join(sorted(ends))}; write the full name")
        if not self.traces:
            raise ResultError(f"trace '{name}': nothing was recorded; name the signal in run(watch=[...])")
        raise unknown("trace", name, self.traces)

    def __contains__(self, name: str) -> bool:
        return name in self.traces or sum(full.endswith(f".{name}") for full in self.traces) == 1

    def __repr__(self) -> str:
        return f"<Result until {self.until}: {len(self.traces)} traces, fingerprint {self.fingerprint}>"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything into one .npz file, and `manifest.json` beside it.

        `path` is the file, or a folder that gets `result.npz`. Returns the file's path.
        """
        file = Path(path)
        if file.suffix != ".npz":
            try:
                file.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"cannot make the folder '{file}': {error.strerror or error}") from error
            file = file / "result.npz"
        meta = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "stats": self.stats,
            "manifest": self.manifest,
            "traces": [[t.name, t.kind, t.width, t.initial] for t in self.traces.values()],
        }
        # NumPy numbers among a component's figures must not cost a long run its result.
        arrays: dict[str, Any] = {"meta": np.array(json.dumps(meta, default=jsonable))}
        for n, trace in enumerate(self.traces.values()):
            arrays[f"t{n}"], arrays[f"v{n}"] = trace.t, trace.value
        shown = json.dumps({**self.manifest, "fingerprint": self.fingerprint}, indent=2, default=jsonable)
        try:
            with file.open("wb") as out:
                np.savez_compressed(out, **arrays)
            (file.parent / "manifest.json").write_text(shown + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"cannot write '{file}': {error.strerror or error}; name another path"
            ) from error
        return file

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Result:
        """Read what `save` wrote: the .npz file, or the folder that holds `result.npz`.

        Raises:
            ResultError: no such file, a damaged one, or one that hwmodel did not write.
        """
        file = Path(path)
        if file.is_dir():
            file = file / "result.npz"
        try:
            with file.open("rb") as handle, np.load(handle, allow_pickle=False) as data:
                meta = json.loads(str(data["meta"]))
                if meta.get("format") != FORMAT:
                    raise ResultError(
                        f"{file}: format {meta.get('format')!r} is not {FORMAT!r}; read it with its own version"
                    )
                traces = {
                    name: Trace(name, kind, data[f"t{n}"], data[f"v{n}"], width, initial)
                    for n, (name, kind, width, initial) in enumerate(meta["traces"])
                }
        except FileNotFoundError:
            raise ResultError(f"{file}: no such result; give the .npz file or its folder") from None
        except (
            OSError,
            ValueError,
            KeyError,
            EOFError,
            zipfile.BadZipFile,
            AttributeError,
            TypeError,
        ) as error:
            if isinstance(error, ResultError):
                raise
            raise ResultError(
                f"{file}: not a readable result ({error}); it may be truncated or foreign"
            ) from error
        return cls(traces, meta["stats"], meta["manifest"], meta["fingerprint"])

    def to_vcd(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write the traces as a waveform file (VCD, 1 fs); see `hwmodel.report.write_vcd`."""
        return Path(resolve_name(_RENDERERS["vcd"])(self, path, **options) or path)

    def to_perfetto(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write the traces for the Perfetto viewer; see `hwmodel.report.write_perfetto`."""
        return Path(resolve_name(_RENDERERS["perfetto"])(self, path, **options) or path)

    def plot(self, path: str | os.PathLike[str] | None = None, **options: Any) -> Any:
        """Draw the traces as a picture; see `hwmodel.report.plot`."""
        return resolve_name(_RENDERERS["plot"])(self, path, **options)

    def to_html(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write a self-contained report; see `hwmodel.report.write_html`."""
        return Path(resolve_name(_RENDERERS["html"])(self, path, **options) or path)

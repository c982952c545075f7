"""The commands `hwmodel reservoir shares` and `hwmodel reservoir clock`: what a log of arrivals says, and what not.

Nothing heavy is imported before a command runs: `hwmodel --help` reads this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from hwmodel._arguments import guarded, whole, write_json

__all__ = ["reservoir_app"]


reservoir_app = App(
    name="reservoir",
    help="Hashing chips as reservoirs: share logs, the nonce clock, emulated and real chips.",
    version_flags=[],
    help_format="plaintext",
)


@reservoir_app.command(name="shares")
def shares_command(
    file: Path,
    /,
    *,
    json: Path | None = None,
    replicates: Annotated[int, Parameter(converter=whole)] = 299,
    seed: Annotated[int, Parameter(converter=whole)] = 0,
    baud: float | None = None,
) -> int:
    """Re-hash a share log, and say which ordinary cause explains its times.

    Parameters
    ----------
    file
        CSV, perhaps gzipped, with columns t_s and header_hex; job and diff are used where they stand.
    json
        File for all figures.
    replicates
        Simulated logs a rung of the null ladder.
    seed
        Seed of every random stream.
    baud
        Baud of the serial line that the shares came over; by default that rung adds nothing.
    """

    def work() -> list[str]:
        from hwmodel.reservoir.null import analyse_shares
        from hwmodel.reservoir.shares import read_shares

        analysis = analyse_shares(read_shares(file), replicates=replicates, seed=seed, baud=baud)
        if json is not None:
            write_json(json, analysis.as_dict())
        return analysis.lines()

    return guarded(work)


@reservoir_app.command(name="clock")
def clock_command(
    file: Path,
    /,
    *,
    json: Path | None = None,
    predict: Annotated[tuple[str, str] | None, Parameter(negative=(), show_default=False)] = None,
    after: float = 0.0,
    bits: Annotated[int | None, Parameter(converter=whole)] = None,
    drift: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Fit the nonce clock: arrival = t0 + P (batch + counter/2^bits).

    Parameters
    ----------
    file
        JSON list of records with t_ms, nonce and version.
    json
        File for all figures.
    predict
        A nonce and a version; the times at which the chip delivers them are added.
    after
        Predict from this time on, ms.
    bits
        Width of the counter; by default it is searched.
    drift
        Fit a steady change of the clock's rate as well.
    """

    def work() -> list[str]:
        from hwmodel.reservoir.clock import analyse_clock

        figures, lines = analyse_clock(file, counter_bits=bits, drift=drift, predict=predict, after_ms=after)
        if json is not None:
            write_json(json, figures)
        return lines

    return guarded(work)

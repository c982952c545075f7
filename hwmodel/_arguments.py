"""What the modules of the command share: how a whole number is read, and how errors become exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cyclopts import Token

from hwmodel.errors import HwmodelError, OutputError, UnknownNameError

__all__ = ["FAILED", "USAGE", "guarded", "whole", "write_json"]

FAILED, USAGE = 1, 2


def whole(kind: type, tokens: Sequence[Token]) -> int:
    """Read a whole number; 1.5 is refused where cyclopts itself would round it."""
    return int(tokens[0].value)


def guarded(work: Callable[[], list[str]]) -> int:
    """Print the lines that the work gives; its errors become messages and exit codes."""
    try:
        lines = work()
    except (UnknownNameError, OutputError) as error:
        print(f"hwmodel: {error}", file=sys.stderr)
        return USAGE
    except HwmodelError as error:
        print(f"hwmodel: {error}", file=sys.stderr)
        return FAILED
    for line in lines:
        print(line)
    return 0


def write_json(path: Path, figures: Mapping[str, Any]) -> None:
    """Write figures as JSON, so that a reader never meets half of them.

    Raises:
        OutputError: the file cannot be written.
    """
    from hwmodel.kernel.files import write_text

    write_text(path, json.dumps(figures, indent=1) + "\n")

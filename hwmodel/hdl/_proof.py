"""Runs scripts of yosys for proofs: with a limit on the time, after which nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from hwmodel.errors import ToolError
from hwmodel.hdl._tools import first_error, need


def proof_tool(where: str) -> str:
    """Name and version of the yosys that proofs run on.

    Raises:
        ToolError: there is none; the message says how to get it.
    """
    tool = need("yosys", where)
    return f"{tool.name} {tool.version}"


def run_proof(script: str, cwd: Path, where: str, timeout: float) -> str | None:
    """Run commands of yosys and give what it printed; None where the time was not enough.

    Parameters:
        script: commands, one a line.
        cwd: folder of all files that the script names.
        where: what asks, for messages.
        timeout: seconds of wall time.

    Raises:
        ToolError: no yosys, or it refuses the script.
    """
    tool = need("yosys", where)
    (cwd / "script.ys").write_text(script, encoding="utf-8")
    # A session of its own: yosys starts further programs, which must end with it.
    child = subprocess.Popen(
        [*tool.command, "-Q", "-T", "-s", "script.ys"],
        cwd=cwd,
        env={**os.environ, **tool.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said, _ = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    if child.returncode:
        raise ToolError(f"{where}: {tool.name} {tool.version} fails: {first_error(said)}")
    return said

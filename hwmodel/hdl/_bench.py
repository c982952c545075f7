"""The process in which cocotb's runner builds or tests: `_cocotb.run_cocotb` starts it with a spec as JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def main(spec: dict[str, Any]) -> None:
    """Do what the spec says."""
    from cocotb_tools.runner import get_runner

    for name in [n for n in os.environ if n.startswith("COCOTB_") or n == "PYTEST_CURRENT_TEST"]:
        del os.environ[name]
    runner = get_runner(spec["simulator"])
    folder = Path(spec["build_dir"])
    if spec["action"] == "build":
        # The bench itself is Python and far slower than the model: compile fast rather than for speed.
        os.environ["MAKEFLAGS"] = "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1 CFG_CXXFLAGS_PCH_I=-include"
        if spec["runtime"]:
            os.environ["MAKEFLAGS"] += f" OBJCACHE={spec['runtime']}/reuse"
        quiet = (
            ["-Wno-fatal", "-Wno-lint", "-Wno-style", "--no-timing"]
            if spec["simulator"] == "verilator"
            else []
        )
        runner.build(
            sources=spec["sources"],
            includes=spec["includes"],
            defines=spec["defines"],
            parameters=spec["parameters"],
            build_args=quiet,
            hdl_toplevel=spec["top"],
            build_dir=folder,
            timescale=("1ns", "1ps"),
            waves=spec["waves"],
            log_file=folder / "build.log",
        )
        return
    out = Path(spec["test_dir"])
    runner.test(
        test_module=spec["test_module"],
        hdl_toplevel=spec["top"],
        hdl_toplevel_lang="verilog",
        build_dir=folder,
        test_dir=out,
        testcase=spec["testcase"],
        seed=spec["seed"],
        extra_env=spec["env"],
        waves=spec["waves"],
        plusargs=[f"+dumpfile_path={out / spec['top']}.fst"] if spec["waves"] else [],
        parameters=spec["parameters"],
        results_xml=str(out / "results.xml"),
        log_file=out / "test.log",
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

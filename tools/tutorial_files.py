"""Generated files of the tutorial: the pictures that the code of a lesson draws."""

from __future__ import annotations

import contextlib
import doctest
import re
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tutorial" / "compose-your-own-system.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Picture of the documentation -> file that the lesson writes.
PICTURES = {
    "docs/images/pixels_run.svg": "run.svg",
    "docs/images/pixels_close.svg": "close.svg",
    "docs/images/pixels_topology.svg": "topology.svg",
}


@cache
def drawn() -> dict[str, str]:
    """Run the lesson until it has drawn its pictures; give them by the name of their file."""
    names: dict[str, object] = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for number, code in enumerate(BLOCK.findall(PAGE.read_text(encoding="utf-8"))):
            if ">>>" in code:
                # What Python answers is compared by the tests of the documentation, not here.
                test = doctest.DocTestParser().get_doctest(code, names, PAGE.name, None, None)
                doctest.DocTestRunner().run(test, out=lambda _: None, clear_globs=False)
                names.update(test.globs)
            else:
                exec(compile(code, f"{PAGE.name}, block {number + 1}", "exec"), names)
            if all(Path(file).exists() for file in PICTURES.values()):
                break
        return {file: Path(file).read_text(encoding="utf-8") for file in PICTURES.values()}


def picture(name: str) -> str:
    """A picture of the lesson; as it is where nothing can run the lesson's Verilog."""
    from hwmodel.hdl import tools

    found = tools()
    if not (found["verilator"] and found["g++"]) and not found["yosys"]:
        return (ROOT / name).read_text(encoding="utf-8")
    return drawn()[PICTURES[name]]


FILES: dict[str, Callable[[], str]] = {name: partial(picture, name) for name in PICTURES}

"""The Python blocks of the documentation run, page by page, in the order in which they are read."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
# A comment `<!-- python ... -->` is run as well: it prepares what a page takes for granted.
FENCE = re.compile(r"^(?:```|<!-- )(?:python|pycon)\n(.*?)^(?:```|-->)$", re.MULTILINE | re.DOTALL)


FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def blocks(text: str) -> list[tuple[int, str]]:
    """First line number and code of every Python block."""
    return [(text.count("\n", 0, match.start(1)) + 1, match[1]) for match in FENCE.finditer(text)]


def run_page(text: str, name: str) -> dict[str, object]:
    """Run the blocks of a page in one namespace; the line numbers of errors are those of the page."""
    names: dict[str, object] = {"__name__": "__main__"}
    for line, code in blocks(text):
        if ">>>" in code:
            run_dialogue(code, names, name, line)
        else:
            exec(compile("\n" * (line - 1) + code, name, "exec"), names)
    return names


def run_dialogue(code: str, names: dict[str, object], name: str, line: int) -> None:
    """Run a block of `>>>` lines and compare what comes out."""
    test = doctest.DocTestParser().get_doctest(code, names, name, name, line - 1)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append, clear_globs=False)
    names.update(test.globs)
    assert not said, "".join(said)


def pages() -> list[Path]:
    every = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(page for page in every if blocks(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = run_page(page.read_text(encoding="utf-8"), str(page))
    assert len(names) > 1


def test_blocks_share_names_and_errors_have_the_line_of_the_page() -> None:
    page = "# Title\n\n```python\na = 1\n```\n\ntext\n\n```python\nb = a + 1\nassert b == 3\n```\n"
    with pytest.raises(AssertionError) as caught:
        run_page(page, "page.md")
    assert caught.traceback[-1].lineno + 1 == 11


def test_a_comment_may_prepare_a_page() -> None:
    page = "<!-- python\na = 1\n-->\n\n```python\nb = a + 1\n```\n"
    assert run_page(page, "page.md")["b"] == 2


def test_what_a_dialogue_shows_is_compared() -> None:
    page = "```python\na = 1\n```\n\n```python\n>>> a + 1\n%s\n```\n"
    assert run_page(page % 2, "page.md")["a"] == 1
    with pytest.raises(AssertionError, match=r"line 6[\s\S]*Expected:\s+3\s+Got:\s+2"):
        run_page(page % 3, "page.md")

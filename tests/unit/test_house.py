"""House rules that a program can check: sizes, documented names, nothing left unfinished."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
CODE = ("hwmodel", "sims", "tools", "tests")
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef

# The one-letter classes keep this file from breaking its own rule.
FORBIDDEN = {
    "an unfinished place": re.compile(r"\b(TOD[O]|FIXM[E]|X{3}|HAC[K]|NotImplementedErro[r])\b"),
    "a machine's path": re.compile(r"(?<![\w.~<])/(home|root|tmp|work|Users)/"),
    "a registry's host": re.compile(r"\b(pyp[i]\.org|pythonhoste[d]|deb\.debia[n]|npmj[s])\b"),
    "a number in an issue tracker": re.compile(r"\b(issue|pull request|PR) ?#?\d+\b", re.IGNORECASE),
}


def code_files() -> list[Path]:
    return sorted(p for folder in CODE for p in (ROOT / folder).rglob("*.py"))


def text_files() -> list[Path]:
    """Everything written by hand: code, documentation, configuration."""
    suffixes = {".py", ".md", ".toml", ".html", ".css", ".js", ".csv"}
    folders = [*CODE, "docs", ".ci"]
    found = [p for folder in folders for p in (ROOT / folder).rglob("*") if p.suffix in suffixes]
    return sorted(
        {*found, *ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / ".ci" / "run"}
    )


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def is_exempt(function: Function) -> bool:
    """Overloads and setters: their documentation stands at the function that they belong to."""
    text = [ast.unparse(decorator) for decorator in function.decorator_list]
    return any(name.endswith(("overload", ".setter", ".deleter")) for name in text)


def public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Public functions and classes of a module, and public methods of its public classes."""
    for node in body:
        if isinstance(node, ast.If | ast.Try):
            yield from public([*node.body, *node.orelse], prefix)
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        if isinstance(node, ast.ClassDef):
            yield prefix + node.name, node
            yield from public(node.body, f"{prefix}{node.name}.")
        elif not is_exempt(node):
            yield prefix + node.name, node


def undocumented(source: str) -> list[str]:
    tree = ast.parse(source)
    missing = [name for name, node in public(tree.body) if not ast.get_docstring(node)]
    return missing if ast.get_docstring(tree) or not tree.body else ["the module itself", *missing]


def long_functions(source: str) -> list[str]:
    found = functions(ast.parse(source))
    return [f.name for f in found if (f.end_lineno or 0) - f.lineno + 1 > MAX_FUNCTION_LINES]


def forbidden(text: str) -> list[str]:
    return [
        f"{number}: {what}: {match[0]}"
        for number, line in enumerate(text.splitlines(), 1)
        for what, pattern in FORBIDDEN.items()
        if (match := pattern.search(line))
    ]


def test_files_are_short() -> None:
    lengths = {name_of(p): len(p.read_text(encoding="utf-8").splitlines()) for p in code_files()}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_functions_are_short() -> None:
    files = [p for p in code_files() if p.name != "_kernels.py"]
    found = {name_of(p): long_functions(p.read_text(encoding="utf-8")) for p in files}
    assert {name: names for name, names in found.items() if names} == {}


def test_public_names_are_documented() -> None:
    files = [p for p in code_files() if p.is_relative_to(ROOT / "hwmodel")]
    found = {name_of(p): undocumented(p.read_text(encoding="utf-8")) for p in files}
    assert {name: names for name, names in found.items() if names} == {}


def test_nothing_is_unfinished_or_tied_to_a_machine() -> None:
    found = {name_of(p): forbidden(p.read_text(encoding="utf-8")) for p in text_files()}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_tests_assert_something() -> None:
    """A test without an assertion, or a call that asserts, cannot fail."""
    found = [
        f"{name_of(p)}: {f.name}"
        for p in code_files()
        if p.is_relative_to(ROOT / "tests") and p.name.startswith("test_")
        for f in functions(ast.parse(p.read_text(encoding="utf-8")))
        if f.name.startswith("test_")
        and not any(isinstance(node, ast.Assert | ast.With) or is_assertion(node) for node in ast.walk(f))
    ]
    assert found == []


def is_assertion(node: ast.AST) -> bool:
    """A call such as `np.testing.assert_array_equal`, or of the fixture `golden`, which compares."""
    return isinstance(node, ast.Call) and any(word in ast.unparse(node.func) for word in ("assert", "golden"))


def test_an_undocumented_name_is_seen() -> None:
    source = '"""Doc."""\nclass A:\n    """Doc."""\n    def b(self): ...\n    def _c(self): ...\n'
    assert undocumented(source) == ["A.b"]


def test_a_long_function_is_seen() -> None:
    assert long_functions("def f():\n" + "    x = 1\n" * 60) == ["f"]
    assert long_functions("def f():\n" + "    x = 1\n" * 59) == []


@pytest.mark.parametrize(
    "line", ["# TO_DO later", "open('/ho_me/me/x')", "see py_pi.org", "closes iss_ue #12"]
)
def test_a_forbidden_word_is_seen(line: str) -> None:
    assert forbidden(line) == []
    assert len(forbidden(line.replace("_", ""))) == 1

"""Sphinx configuration; `make docs` builds with every warning an error."""

import re

from docutils import nodes
from latex2mathml.converter import convert

from hwmodel import __version__

project = "hwmodel"
author = "The hwmodel developers"
project_copyright = "2026, the hwmodel developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
html_math_renderer = "mathml"  # MathJax comes from the network, and the pages must read without it
myst_heading_anchors = 3
# A word such as `shape` in a docstring may be an attribute of two classes; it is then plain code.
suppress_warnings = ["ref.python"]
exclude_patterns = ["howto/examples"]

html_theme = "furo"
html_title = f"hwmodel {__version__}"
html_static_path: list[str] = []

default_role = "code"  # docstrings write `name` as Markdown does
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": False, "show-inheritance": False}
napoleon_google_docstring = True
napoleon_numpy_docstring = True
napoleon_use_ivar = True  # or fields that have a comment as well would be described twice
napoleon_custom_sections = [("Source", "notes_style")]


# Docstrings are written to be read in the editor. Two hooks turn them into what Sphinx understands.

_constants: dict[str, list[str]] = {}
_BEFORE_NAPOLEON, _AFTER_NAPOLEON = 400, 600


def _end_literal(found):
    """`Link`s is plain to a reader; Sphinx wants the end of the literal marked."""
    return f"{found[1]}\\ {found[2]}" if found[2] else found[1]


def _hide_constants(app, what, name, obj, options, lines):
    """Keep one-line descriptions away from napoleon, which takes the words before a colon for a type."""
    lines[:] = [re.sub(r"(`[^`]+`)(\w?)", _end_literal, line) for line in lines]
    if what in {"attribute", "data", "property"}:
        _constants[name] = list(lines)
        lines.clear()


def _show_constants(app, what, name, obj, options, lines):
    if name in _constants:
        lines[:] = _constants.pop(name)


def _math(display):
    """Write a formula as MathML, which browsers draw themselves."""

    def visit(translator, node):
        translator.body.append(convert(node.astext(), display=display))
        raise nodes.SkipNode

    return visit, None


def setup(app):
    """Connect the hooks; Sphinx calls this."""
    app.add_html_math_renderer("mathml", _math("inline"), _math("block"))
    app.connect("autodoc-process-docstring", _hide_constants, priority=_BEFORE_NAPOLEON)
    app.connect("autodoc-process-docstring", _show_constants, priority=_AFTER_NAPOLEON)

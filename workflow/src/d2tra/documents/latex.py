"""A table as LaTeX: a longtable with booktabs rules, to be taken into an article."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment

from d2tra.documents.layout import templates

SPECIAL = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "−": "$-$",
    "×": r"$\times$",
    "²": r"$^2$",
    "∞": r"$\infty$",
    "κ": r"$\kappa$",
}


def table_latex(table: dict[str, Any], banners: Sequence[str]) -> str:
    """Returns one laid-out table as a longtable; every text escaped, the banners as comment and below the table."""
    return _plain_templates().get_template("table.tex.j2").render(table=table, banners=banners)


@cache  # a template is compiled once, not for every table
def _plain_templates() -> Environment:
    """Not escaped for html but for LaTeX, by the filter `tex`."""
    plain = templates(escape=False)
    plain.filters["tex"] = escaped
    return plain


def escaped(text: str) -> str:
    """Returns the text with everything that LaTeX would read as a command written as a sign."""
    return re.sub("|".join(map(re.escape, SPECIAL)), lambda found: SPECIAL[found.group()], text)

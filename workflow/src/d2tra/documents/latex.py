"""A table as LaTeX: a longtable with booktabs rules, to be taken into an article."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

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
    plain = templates(escape=False)  # escaped for LaTeX, by the filter `tex`
    plain.filters["tex"] = escaped
    return plain.get_template("table.tex.j2").render(table=table, banners=banners)


def escaped(text: str) -> str:
    """Returns the text with everything that LaTeX would read as a command written as a sign."""
    return re.sub("|".join(map(re.escape, SPECIAL)), lambda found: SPECIAL[found.group()], text)

"""What every format of a table or document shares: the words on every page, and a table laid out in lines."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from d2tra.disclosure import Profile
from d2tra.tables import Table
from d2tra.tables.cells import formatted

SYNTHETIC = "SYNTHETIC DATA: these patients do not exist. No number here says anything about real patients."
PRIVATE = "Private: do not release. Histories of single patients; they never leave the department."
INTERNAL = "internal: not for release. Exact numbers, for the department only."


def banners(profile: Profile, synthetic: bool) -> list[str]:
    """Returns what must stand on every page."""
    return [*([SYNTHETIC] if synthetic else []), *([] if profile.may_leave else [INTERNAL])]


def laid_out(table: Table) -> dict[str, Any]:
    """Returns the table as every format shows it: name, title, headings, lines (label, indented, texts), footnotes.

    A row with levels gets a line of its own above them.
    """
    texts = formatted(table.cells)
    columns = [name for name in texts.columns if name not in ("row", "level")]
    lines: list[dict[str, Any]] = []
    above = None
    for line in texts.iter_rows(named=True):
        row, level = line["row"], line["level"]
        if level is not None and row != above and (not lines or lines[-1]["label"] != row):
            lines.append({"label": row, "indented": False, "texts": [""] * len(columns)})
        above = row
        lines.append(
            {
                "label": level or row,
                "indented": level is not None,
                "texts": [line[column] for column in columns],
            }
        )
    return {
        "name": table.name,
        "title": table.title,
        "headings": ["", *columns],
        "lines": lines,
        "footnotes": table.footnotes,
    }


def templates(escape: bool) -> Environment:
    """Returns the templates of the documents; texts are escaped for html where asked, an unknown name is an error."""
    return Environment(
        loader=PackageLoader("d2tra.documents"),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )

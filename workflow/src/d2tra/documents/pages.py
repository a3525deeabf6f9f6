"""The report and each table as a page: self-contained html, nothing loaded from anywhere, every text escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from d2tra import io
from d2tra.disclosure import Profile
from d2tra.documents.latex import table_latex
from d2tra.documents.layout import banners, laid_out, templates
from d2tra.documents.spreadsheet import table_workbook
from d2tra.documents.word import table_document
from d2tra.tables import Table


def table_files(tables: Sequence[Table], profile: Profile, synthetic: bool) -> dict[str, Any]:
    """Returns file name → content: each table as csv (its cells), html, docx, xlsx and tex."""
    page = templates(escape=True).get_template("table_page.html.j2")
    shown = banners(profile, synthetic)
    files: dict[str, Any] = {}
    for table in tables:
        lines = laid_out(table)
        files |= {
            f"{table.name}.csv": io.neutralised(table.cells),
            f"{table.name}.html": page.render(table=lines, banners=shown),
            f"{table.name}.docx": table_document(lines, shown),
            f"{table.name}.xlsx": table_workbook(lines, table.cells, shown),
            f"{table.name}.tex": table_latex(lines, shown),
        }
    return files


def report_page(contents: Mapping[str, Any], svgs: Mapping[str, bytes]) -> str:
    """Returns report.html from what `report_contents` gives and the figures (`svgs`: name → svg)."""
    figures = [
        {**figure, "svg": _inline(svgs[figure["name"]].decode(), figure["name"])}
        for figure in contents["figures"]
    ]
    return templates(escape=True).get_template("report.html.j2").render({**contents, "figures": figures})


def _inline(svg: str, name: str) -> str:
    """The svg element alone, its ids made its own so that several figures can stand on one page."""
    element = svg[svg.index("<svg") :]
    element = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', element)
    element = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", element)
    return re.sub(
        r'(<svg\b[^>]*?) width="[^"]*"',
        r"\1",
        re.sub(r'(<svg\b[^>]*?) height="[^"]*"', r"\1", element, count=1),
        count=1,
    )

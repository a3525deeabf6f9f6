"""The report and each table as a page: self-contained html, nothing loaded from anywhere, every text escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from d2tra.config import Study
from d2tra.definitions import Definition
from d2tra.disclosure import Profile
from d2tra.documents.latex import table_latex
from d2tra.documents.layout import banners, laid_out
from d2tra.documents.spreadsheet import table_workbook
from d2tra.documents.summary import summarise
from d2tra.documents.word import table_document
from d2tra.figures import FIGURES
from d2tra.tables import Table


def table_files(tables: Sequence[Table], profile: Profile, synthetic: bool) -> dict[str, Any]:
    """Returns file name → content: each table as csv (its cells), html, docx, xlsx and tex."""
    page = _templates().get_template("table_page.html.j2")
    shown = banners(profile, synthetic)
    files: dict[str, Any] = {}
    for table in tables:
        lines = laid_out(table)
        files |= {
            f"{table.name}.csv": table.cells,
            f"{table.name}.html": page.render(table=lines, banners=shown),
            f"{table.name}.docx": table_document(lines, shown),
            f"{table.name}.xlsx": table_workbook(lines, table.cells, shown),
            f"{table.name}.tex": table_latex(lines, shown),
        }
    return files


def report_page(
    study: Study,
    cohort: str,
    profile: Profile,
    synthetic: bool,
    tables: Sequence[Table],
    svgs: Mapping[str, str],
    definitions: Sequence[Definition],
) -> str:
    """Returns report.html: summary, figures (`svgs`: name → svg), tables, and the definitions in words."""
    by_name = {table.name: table for table in tables}
    drawn = [
        {
            "name": name,
            "title": kind.title,
            "svg": _inline(svgs[name], name),
            "alt": f"{kind.title}: {kind.shows}. The numbers stand in the table «{by_name[kind.table].title}».",
            "caption": " ".join(by_name[kind.table].footnotes),
        }
        for name, kind in FIGURES.items()
        if name in svgs
    ]
    return _templates().get_template("report.html.j2").render(
        title=study.title,
        cohort=cohort,
        profile_title=profile.title,
        banners=banners(profile, synthetic),
        summary=summarise(study, by_name),
        figures=drawn,
        tables=[laid_out(table) for table in tables],
        definitions=[_in_words(definition) for definition in definitions],
        footer=[
            f"Study {study.name}. Seed {study.seed}. Baseline: {study.baseline}. Criterion 3 where unrecorded: "
            f"{study.if_criterion_3_unrecorded}.",
            profile.in_words(),
            "Made by d2tra from the study's protocol; manifest.json beside this cohort's folder names inputs and versions.",
        ],
    )  # fmt: skip


def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("d2tra.documents"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )


def _in_words(definition: Definition) -> dict[str, Any]:
    source = definition.source
    parts = [
        source.authors,
        source.title,
        source.journal or str(source.year),
        source.doi and f"doi {source.doi}",
    ]
    return {
        "name": definition.name,
        "title": definition.title,
        "source": " ".join(f"{part.rstrip('.')}." for part in parts if part),
        "lines": definition.in_words(),
        "open_points": [f"{point.left_open} {point.settled}" for point in definition.open_points],
    }


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

"""The report and each table as a page: self-contained html, nothing loaded from anywhere, every text escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from d2tra.config import Study
from d2tra.definitions import Definition
from d2tra.disclosure import Profile
from d2tra.documents.summary import summarise
from d2tra.figures import FIGURES
from d2tra.tables import Table
from d2tra.tables.cells import formatted

SYNTHETIC = "SYNTHETIC DATA: these patients do not exist. No number here says anything about real patients."
INTERNAL = "internal: not for release. Exact numbers, for the department only."


def banners(profile: Profile, synthetic: bool) -> list[str]:
    """Returns what must stand on every page."""
    return [*([SYNTHETIC] if synthetic else []), *([] if profile.may_leave else [INTERNAL])]


def table_pages(tables: Sequence[Table], profile: Profile, synthetic: bool) -> dict[str, Any]:
    """Returns file name → content: each table as csv (its cells) and html."""
    page = _templates().get_template("table_page.html.j2")
    shown = banners(profile, synthetic)
    pages = {f"{table.name}.html": page.render(table=_laid_out(table), banners=shown) for table in tables}
    return pages | {f"{table.name}.csv": table.cells for table in tables}


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
        tables=[_laid_out(table) for table in tables],
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


def _laid_out(table: Table) -> dict[str, Any]:
    """The table as a template shows it; a row with levels gets a line of its own above them."""
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

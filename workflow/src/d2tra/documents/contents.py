"""What a report says, whatever it is written in: summary, figures, tables, definitions in words, footer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from d2tra.config import Study, place_in_words
from d2tra.definitions import Definition
from d2tra.disclosure import Profile
from d2tra.documents.layout import banners, laid_out
from d2tra.documents.summary import summarise
from d2tra.figures import figures_of
from d2tra.tables import Table


def report_contents(
    study: Study,
    cohort: str,
    profile: Profile,
    synthetic: bool,
    tables: Sequence[Table],
    drawn: Collection[str],
    definitions: Sequence[Definition],
    without_treatments: Sequence[str] = (),
) -> dict[str, Any]:
    """Returns the parts of a report by name, every number of them out of the released `tables`.

    `without_treatments`: the sites whose extract has no such table.

    title, cohort, where, primary_lines (the primary definition in words), banners, summary, figures (name,
    title, alt, caption: of those `drawn`), tables (laid out, with caption), definitions (name, heading, source, lines,
    open_points), footer.
    """
    by_name = {table.name: table for table in tables}
    figures = [(name, kind) for name, kind in figures_of("all", tables).items() if name in drawn]
    return {
        "title": study.title,
        "cohort": cohort,
        "where": f"{place_in_words(cohort)} · primary definition: {definitions[0].title} · {profile.title}",
        "primary_lines": definitions[0].in_words(),
        "banners": banners(profile, synthetic),
        "summary": summarise(study, by_name, without_treatments),
        "figures": [
            {
                "name": name,
                "title": kind.title,
                "alt": f"{kind.title}: {kind.shows}. The numbers stand in the table «{by_name[kind.table].title}».",
                "caption": " ".join([f"Figure {number}. {kind.title}.", *by_name[kind.table].footnotes]),
            }
            for number, (name, kind) in enumerate(figures, start=1)
        ],
        "tables": [
            {**laid_out(table), "caption": f"Table {number}. {table.title}"}
            for number, table in enumerate(tables, start=1)
        ],
        "definitions": [in_words(definition) for definition in definitions],
        "footer": [
            f"Study {study.name}. Seed {study.seed}. Baseline: {study.baseline}. Criterion 3 where unrecorded: "
            f"{study.if_criterion_3_unrecorded}.",
            profile.in_words(),
            "Made by d2tra from the study's protocol; manifest.json beside this cohort's folder names inputs and versions.",
        ],
    }


def in_words(definition: Definition) -> dict[str, Any]:
    """Returns a definition for a reader: name, heading, source, lines, open_points."""
    source = definition.source
    parts = [
        source.authors,
        source.title,
        source.journal or str(source.year),
        source.doi and f"doi {source.doi}",
    ]
    return {
        "name": definition.name,
        "heading": f"{definition.title} ({definition.name})",
        "source": " ".join(f"{part.rstrip('.')}." for part in parts if part),
        "lines": definition.in_words(),
        "open_points": [f"{point.left_open} {point.settled}" for point in definition.open_points],
    }

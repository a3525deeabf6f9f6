"""What a report says, whatever it is written in: summary, figures, tables, definitions in words, footer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from d2tra.config import Study
from d2tra.definitions import Definition
from d2tra.disclosure import Profile
from d2tra.documents.layout import banners, laid_out
from d2tra.documents.summary import summarise
from d2tra.figures import FIGURES
from d2tra.tables import Table


def report_contents(
    study: Study,
    cohort: str,
    profile: Profile,
    synthetic: bool,
    tables: Sequence[Table],
    drawn: Collection[str],
    definitions: Sequence[Definition],
) -> dict[str, Any]:
    """Returns the parts of a report by name, every number of them out of the released `tables`.

    title, cohort, profile_title, primary (its title) and primary_lines (in words), banners, summary, figures (name, title, alt, caption: of those `drawn`),
    tables (laid out), definitions (name, title, source, lines, open_points), footer.
    """
    by_name = {table.name: table for table in tables}
    return {
        "title": study.title,
        "cohort": cohort,
        "profile_title": profile.title,
        "primary": definitions[0].title,
        "primary_lines": definitions[0].in_words(),
        "banners": banners(profile, synthetic),
        "summary": summarise(study, by_name),
        "figures": [
            {
                "name": name,
                "title": kind.title,
                "alt": f"{kind.title}: {kind.shows}. The numbers stand in the table «{by_name[kind.table].title}».",
                "caption": " ".join(by_name[kind.table].footnotes),
            }
            for name, kind in FIGURES.items()
            if name in drawn
        ],
        "tables": [laid_out(table) for table in tables],
        "definitions": [in_words(definition) for definition in definitions],
        "footer": [
            f"Study {study.name}. Seed {study.seed}. Baseline: {study.baseline}. Criterion 3 where unrecorded: "
            f"{study.if_criterion_3_unrecorded}.",
            profile.in_words(),
            "Made by d2tra from the study's protocol; manifest.json beside this cohort's folder names inputs and versions.",
        ],
    }


def in_words(definition: Definition) -> dict[str, Any]:
    """Returns a definition for a reader: name, title, source, lines, open_points."""
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

"""The documents of a whole study: slides, poster, abstracts, methods, data dictionary, checklist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from d2tra import io
from d2tra.config import Study
from d2tra.definitions import load_definition
from d2tra.disclosure import Profile
from d2tra.documents.abstract import abstract_text, load_conference
from d2tra.documents.contents import report_contents
from d2tra.documents.dictionary import data_dictionary
from d2tra.documents.methods import methods_text
from d2tra.documents.number_gate import confirm_numbers
from d2tra.documents.pasted import check_text
from d2tra.documents.presentation import poster, slide_deck
from d2tra.errors import StudyError
from d2tra.models import load_model
from d2tra.risk_factor_plan import load_plan
from d2tra.tables import Table


def study_documents(
    study: Study,
    sites: Sequence[str],
    profile: Profile,
    synthetic: bool,
    tables: Mapping[str, Sequence[Table]],
    pngs: Mapping[str, Mapping[str, bytes]],
    checklist: pl.DataFrame,
    software: Mapping[str, str],
) -> dict[str, Any]:
    """Returns file name → content: slides.pptx, poster.pptx (of the last cohort, the widest), methods.md,
    data_dictionary.csv, checklist_record.csv, and <cohort>/abstract.md of each cohort.

    `tables`: cohort → its released tables; `pngs`: cohort → figure → png; `sites`: their titles. Raises StudyError where
    the slides, the poster or an abstract hold a number that no released cell supports.
    """
    plan, conference = load_plan(), load_conference(study.conference)
    definitions = [load_definition(name) for name in study.definitions]
    models = [load_model(name) for name in study.models]
    reports = {
        cohort: report_contents(study, cohort, profile, synthetic, tables[cohort], pngs[cohort], definitions)
        for cohort in study.cohort_names
    }
    widest = study.cohort_names[-1]
    shown = {
        "slides.pptx": slide_deck(reports, pngs),
        "poster.pptx": poster(reports[widest], pngs[widest]),
    }
    confirm_numbers(shown, list(reports.values()))
    abstracts = {
        f"{cohort}/abstract.md": abstract_text(contents, tables[cohort], conference)
        for cohort, contents in reports.items()
    }
    for (name, text), cohort in zip(abstracts.items(), reports, strict=True):
        _confirm_abstract(name, text, [table.cells for table in tables[cohort]], reports[cohort])
    return {
        **shown,
        **abstracts,
        "methods.md": methods_text(study, sites, definitions, models, plan, profile, synthetic, software),
        "data_dictionary.csv": io.neutralised(data_dictionary(definitions, plan)),
        "checklist_record.csv": io.neutralised(checklist),
    }


def _confirm_abstract(
    name: str, text: str, cells: Sequence[pl.DataFrame], contents: Mapping[str, Any]
) -> None:
    """The number gate of an abstract: its prose, without the comment that tells its length."""
    prose = "\n".join(line for line in text.splitlines() if not line.startswith("<!--"))
    known = [contents["title"], contents["where"], *contents["banners"]]
    unsupported = check_text(prose, cells, known=known).filter(pl.col("verdict") != "supported")
    if unsupported.height:
        shown = ", ".join(unsupported["number"])
        raise StudyError(f"{name}: no released cell supports {shown}. The abstract is not released.")

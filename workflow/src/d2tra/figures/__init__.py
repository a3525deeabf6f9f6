"""Figures, drawn from released cells only: `FIGURES` lists them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import matplotlib as mpl
import polars as pl
from matplotlib.figure import Figure

from d2tra import io
from d2tra.config import FigureSize, place_in_words
from d2tra.disclosure import Profile
from d2tra.errors import StudyError, nearest
from d2tra.figures import (
    calibration,
    cdai_v_das28_crp,
    characteristics,
    comparability,
    cumulative_incidence,
    das28_components,
    decision_curve,
    flow,
    forest,
    missingness,
    overlap,
    prevalence,
    prevalence_by_definition,
    severity,
    specification_curve,
    survey,
    treatment_flows,
)
from d2tra.figures.style import Style, mark, render
from d2tra.tables import OF_COHORT, Table


@dataclass(frozen=True)
class FigureKind:
    """A figure: its title, the table whose cells it shows, and how it is drawn."""

    title: str
    table: str
    draw: Callable[[dict[str, pl.DataFrame], Style], Figure]
    shows: str


FIGURES: dict[str, FigureKind] = {
    "patient_flow": FigureKind(
        "Flow of patients", "selection_flow", flow.draw, "boxes with the patients left at each step"
    ),
    "prevalence": FigureKind(
        "Prevalence in each cohort",
        "prevalence_by_cohort",
        prevalence.draw,
        "one point with interval per cohort",
    ),
    "prevalence_by_definition": FigureKind(
        "Prevalence by definition",
        "prevalence",
        prevalence_by_definition.draw,
        "one point with interval per definition, and a bar up to its upper bound",
    ),
    "definition_overlap": FigureKind(
        "Definitions that are met together",
        "definition_overlap",
        overlap.draw,
        "one bar per combination of definitions, above a matrix of those that it holds",
    ),
    "criteria_overlap": FigureKind(
        "Criteria that are met together",
        "criteria_overlap",
        overlap.draw_criteria,
        "one bar per combination of criteria, above a matrix of those that it holds; then the same for the items of a criterion",
    ),
    "d2t_characteristics": FigureKind(
        "Characteristics of the difficult-to-treat patients",
        "d2t_characteristics",
        characteristics.draw,
        "one point with interval per characteristic",
    ),
    "severity_and_drugs": FigureKind(
        "Severity and number of drugs tried",
        "drug_history_by_severity",
        severity.draw,
        "one bar per number of drugs and severity band",
    ),
    "das28_components": FigureKind(
        "What the DAS28 is made of",
        "das28_components",
        das28_components.draw,
        "the median with quartiles of each component by group, above one bar per score and group made of the points that each term adds",
    ),
    "cdai_v_das28_crp": FigureKind(
        "CDAI and DAS28-CRP by drugs that suppress CRP",
        "cdai_v_das28_crp",
        cdai_v_das28_crp.draw,
        "two squares of CDAI bands by DAS28-CRP bands, the darker a field the more patients are in it",
    ),
    "treatment_sequence": FigureKind(
        "From line to line of b/tsDMARDs",
        "treatment_flows",
        treatment_flows.draw,
        "boxes of mechanisms on each line of treatment, joined by bands as wide as the patients who went that way",
    ),
    "missingness_map": FigureKind(
        "What is not recorded",
        "missingness",
        missingness.draw,
        "one field per characteristic and group of patients, the darker the more lack it",
    ),
    "cumulative_incidence": FigureKind(
        "Time from the first b/tsDMARD to the definition",
        "time_to_d2t",
        cumulative_incidence.draw,
        "one stepped curve with its limits for those who meet it and one for those who die before",
    ),
    "odds_ratios": FigureKind(
        "Odds ratios of the risk factors",
        "odds_ratios",
        forest.draw,
        "one point with interval per factor and model",
    ),
    "odds_ratios_by_cohort": FigureKind(
        "Odds ratios of the risk factors in each cohort",
        "odds_ratios_by_cohort",
        forest.draw_by_cohort,
        "one point with interval per factor and cohort, a panel per model",
    ),
    "calibration": FigureKind(
        "Calibration in patients the model has not seen",
        "calibration",
        calibration.draw,
        "one point with interval per group of predicted risk, a panel per model and cohort",
    ),
    "decision_curve": FigureKind(
        "Net benefit in patients the model has not seen",
        "decision_curve",
        decision_curve.draw,
        "one line for acting by the model, one for acting on all, one for nobody, a panel per model and cohort",
    ),
    "specification_curve": FigureKind(
        "Prevalence and odds ratios under every combination of choices",
        "sensitivity",
        specification_curve.draw,
        "one point with interval per combination, in ascending order, above marks for the choices behind it",
    ),
    "comparability": FigureKind(
        "Comparability of the cohorts",
        "comparability",
        comparability.draw,
        "one point per characteristic: its standardised difference",
    ),
    "survey_questions": FigureKind(
        "What the clinicians answered",
        "survey_questions",
        survey.draw_questions,
        "one panel per question, with a bar and its interval per answer",
    ),
    "survey_favours": FigureKind(
        "Who favours a definition, and who meets it",
        "survey_favours",
        survey.draw_favours,
        "per definition one bar for the clinicians who favour it above one per cohort for the patients who meet it",
    ),
}


def figures_of(names: Sequence[str] | str, tables: Sequence[Table]) -> dict[str, FigureKind]:
    """Returns the figures asked for (a list of names, or "all") whose table is there and has cells.

    A table that stands once per cohort (`<table>_in_<cohort>`) gives a figure for each. StudyError names the nearest known
    figure.
    """
    asked = list(FIGURES) if isinstance(names, str) else list(names)
    for name in asked:
        if name not in FIGURES:
            raise StudyError(f"no figure {name!r}{nearest(name, FIGURES)} Known: {', '.join(FIGURES)}.")
    filled = [table.name for table in tables if not table.cells.is_empty()]
    found = {}
    for name in asked:
        kind = FIGURES[name]
        for table in filled:
            of, _, cohort = table.partition(OF_COHORT)
            if of == kind.table:
                found[name + table.removeprefix(of)] = _in_cohort(kind, table, cohort) if cohort else kind
    return found


def _in_cohort(kind: FigureKind, table: str, cohort: str) -> FigureKind:
    """The figure of one cohort's table, where the tables of several stand side by side."""

    def draw(cells: dict[str, pl.DataFrame], style: Style) -> Figure:
        return kind.draw({kind.table: cells[table]}, style)

    return replace(kind, title=f"{kind.title}, cohort {cohort}", table=table, draw=draw)


def draw_figures(
    names: Sequence[str] | str,
    tables: Sequence[Table],
    style: Style,
    cohort: str,
    profile: Profile,
    synthetic: bool,
    size: FigureSize = "print",
    tiff: bool = False,
) -> dict[str, bytes | pl.DataFrame]:
    """Returns file name → content: each figure as svg, pdf, png and, if wanted, tiff, and the cells behind it as csv."""
    cells = {table.name: table.cells for table in tables}
    said = [place_in_words(cohort), *(["synthetic data"] if synthetic else []), profile.title]
    files: dict[str, bytes | pl.DataFrame] = {}
    for name, kind in figures_of(names, tables).items():
        with mpl.rc_context(style.settings()):
            figure = kind.draw(cells, style)
            mark(figure, style, " · ".join(said), "SYNTHETIC DATA" if synthetic else None)
        rendered = render(figure, style, size, tiff)
        files |= {f"{name}.{ending}": content for ending, content in rendered.items()}
        files[f"{name}.csv"] = io.neutralised(cells[kind.table])
    return files

"""From a frame of patients to a matrix of numbers, and back: every column knows its term, level and reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from d2tra.errors import StudyError, nearest

INTERCEPT = "(Intercept)"


class NotEstimableError(StudyError):
    """What was asked is well said, but these data cannot bear it."""


@dataclass(frozen=True)
class Column:
    """One estimate of a model: a level against its reference, or one unit step of a number (level null)."""

    term: str
    level: str | None = None
    reference: str | None = None
    problem: str | None = None  # why it cannot be estimated; such a column is not in the matrix

    @property
    def label(self) -> str:
        return self.term if self.reference is None else f"{self.term}: {self.level}"


@dataclass(frozen=True)
class Design:
    """The matrix of complete cases (intercept first), what its columns mean, and who was left out.

    `columns` has all that was asked for, in display order; `fitted` those that the matrix holds, in its order.
    `coded` has a column per term: levels as String, numbers as Float64 in unit steps. `complete` marks the rows
    of the data that were kept; `dropped` counts the rows that miss each term (a row can miss several).
    """

    matrix: np.ndarray
    columns: tuple[Column, ...]
    coded: pl.DataFrame
    complete: pl.Series
    dropped: dict[str, int]
    unit_steps: Mapping[str, float]

    @property
    def fitted(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.problem is None)

    def matrix_of(self, term: str) -> np.ndarray:
        """Returns the matrix of one term alone, with the intercept."""
        return self.matrix[:, [c.term in (INTERCEPT, term) for c in self.fitted]]

    def matrix_for(self, data: pl.DataFrame) -> tuple[np.ndarray, pl.Series]:
        """Returns the same columns for other patients, and which of them (Boolean, a value per row) it holds: those
        without a missing factor or a level that these columns do not tell."""
        references = {c.term: c.reference for c in self.fitted if c.reference is not None}
        terms = dict.fromkeys(column.term for column in self.fitted if column.term != INTERCEPT)
        coded = data.select(_coded(data, term, references, self.unit_steps) for term in terms)
        told = [
            pl.col(term).is_in([references[term], *(c.level for c in self.fitted if c.term == term)])
            if term in references
            else pl.col(term).is_not_null()
            for term in terms
        ]
        known = coded.select(pl.all_horizontal(told).fill_null(False)).to_series()
        kept = coded.filter(known)
        vectors = [_vector(kept[column.term], column) for column in self.fitted[1:]]
        return np.column_stack([np.ones(kept.height), *vectors]), known


def design_matrix(
    data: pl.DataFrame,
    terms: Sequence[str],
    references: Mapping[str, str] | None = None,
    unit_steps: Mapping[str, float] | None = None,
) -> Design:
    """Returns the design of these terms over the patients in whom all of them are known.

    String, Enum and Categorical columns are categorical and need a reference level; so is any column named in
    `references`. Booleans are true against false. Numbers are linear, divided by their unit step (default 1); NaN
    is unknown, like null. Raises StudyError for a term that is no column, is named twice, is a date, lacks its
    reference, or whose reference is no level of it.
    """
    references, unit_steps = references or {}, unit_steps or {}
    if not terms or len(set(terms)) < len(terms):
        raise StudyError(f"a model needs one or more terms, each named once; found: {', '.join(terms)}.")
    coded = data.select(_coded(data, term, references, unit_steps) for term in terms)
    complete = coded.select(pl.all_horizontal(pl.all().is_not_null())).to_series()
    columns, vectors = [Column(INTERCEPT)], [np.ones(int(complete.sum()))]
    for term in terms:
        kept = coded[term].filter(complete)
        described = (
            _level_columns(data, term, coded[term], kept, references.get(term))
            if coded[term].dtype == pl.String
            else [_number_column(term, kept, unit_steps.get(term, 1))]
        )
        columns += described
        vectors += [_vector(kept, column) for column in described if column.problem is None]
    return Design(
        matrix=np.column_stack(vectors),
        columns=tuple(columns),
        coded=coded.filter(complete),
        complete=complete,
        dropped={term: coded[term].null_count() for term in terms},
        unit_steps=unit_steps,
    )


def _coded(
    data: pl.DataFrame, term: str, references: Mapping[str, str], unit_steps: Mapping[str, float]
) -> pl.Expr:
    if term not in data.columns:
        raise StudyError(
            f"no factor {term!r} among the columns of the analysis set{nearest(term, data.columns)}"
        )
    kind = data.schema[term]
    if kind == pl.Null:
        return pl.col(term).cast(pl.String if term in references else pl.Float64)
    if kind == pl.Boolean or term in references or not (kind.is_numeric() or kind.is_temporal()):
        return pl.col(term).cast(pl.String)
    if kind.is_temporal():
        raise StudyError(f"factor {term!r} is a date; a model needs a number (days, years) or levels.")
    return (pl.col(term).cast(pl.Float64) / unit_steps.get(term, 1)).fill_nan(None)


def _level_columns(
    data: pl.DataFrame, term: str, coded: pl.Series, kept: pl.Series, reference: str | None
) -> list[Column]:
    """The columns of a categorical term; its levels are those in the data, before rows are dropped."""
    kind = data.schema[term]
    present = sorted(set(coded.drop_nulls()))
    if isinstance(kind, pl.Enum):
        present = [level for level in kind.categories if level in present]
    if kind == pl.Boolean:
        present, reference = ["false", "true"], str(reference or "false").lower()
    if reference is None:
        raise StudyError(f"factor {term!r} has levels ({', '.join(present)}); state which is its reference.")
    reference = str(reference)
    if present and reference not in present:
        raise NotEstimableError(
            f"factor {term!r} has no level {reference!r} in these data{nearest(reference, present)}; "
            f"its levels: {', '.join(present)}."
        )
    found = set(kept)
    return [
        Column(term, level, reference, _level_problem(level, reference, found))
        for level in present
        if level != reference
    ] or [Column(term, None, reference, "not recorded in any patient")]


def _level_problem(level: str, reference: str, found: set[str]) -> str | None:
    if found and reference not in found:
        return "no patients at the reference level"
    return "no patients at this level" if found and level not in found else None


def _number_column(term: str, kept: pl.Series, step: float) -> Column:
    level = None if step == 1 else f"per {step:g}"
    return Column(term, level, None, "the same in every patient" if kept.n_unique() == 1 else None)


def _vector(kept: pl.Series, column: Column) -> np.ndarray:
    if column.reference is None:
        return kept.to_numpy()
    return (kept == column.level).to_numpy().astype(float)

"""What is looked for before a logistic model is fitted: separation, collinearity, empty cells, too few events."""

from __future__ import annotations

import numpy as np
import polars as pl

from d2tra.models.design import INTERCEPT, Column, Design


def find_separation(matrix: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Returns per column of a full-rank matrix where maximum likelihood runs to: +1 (+∞), -1 (−∞) or 0 (finite).

    Konis 2007 by linear programming: is there a direction that no patient contradicts? As R's detectseparation.
    Numbers are first spread over 0–1, for the program's tolerances are absolute; 0/1 columns stay as they are.
    """
    from scipy.optimize import linprog

    low, span = matrix.min(axis=0), np.ptp(matrix, axis=0)
    low, span = np.where(span == 0, 0, low), np.where(span == 0, 1, span)
    signed = (matrix - low) / span * np.where(outcome, 1.0, -1.0)[:, None]
    found = linprog(
        -signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1, 1), method="highs"
    )
    return np.where(np.abs(found.x) > 1e-4, np.sign(found.x), 0).astype(np.int8)


def find_separated_columns(design: Design, outcome: np.ndarray) -> tuple[Column, ...]:
    """Returns the columns (term and level) that separate the outcome, alone or jointly with the others.

    The intercept is named where it runs away too. Empty where maximum likelihood is finite throughout.
    """
    directions = find_separation(design.matrix, outcome)
    return tuple(column for column, way in zip(design.fitted, directions, strict=True) if way)


def find_terms_separated_alone(design: Design, outcome: np.ndarray) -> list[str]:
    """Returns the terms that separate the outcome without the help of any other."""
    terms = dict.fromkeys(column.term for column in design.fitted if column.term != INTERCEPT)
    return [term for term in terms if find_separation(design.matrix_of(term), outcome).any()]


def find_collinear(design: Design) -> list[str]:
    """Returns a sentence per column that earlier columns add up to, e.g. "c = a + b", or "c = 1 - b"."""
    matrix, labels = design.matrix, [column.label for column in design.fitted]
    scaled = matrix / np.maximum(np.abs(matrix).max(axis=0, initial=0), 1e-300)
    kept: list[int] = []
    sentences = []
    for j in range(matrix.shape[1]):
        if kept:
            weights = np.linalg.lstsq(scaled[:, kept], scaled[:, j], rcond=None)[0]
            left_over = np.linalg.norm(scaled[:, j] - scaled[:, kept] @ weights)
            if left_over < 1e-9 * np.linalg.norm(scaled[:, j]):
                weights = np.linalg.lstsq(matrix[:, kept], matrix[:, j], rcond=None)[0]
                sentences.append(f"{labels[j]} = {_sum_of(weights, [labels[i] for i in kept])}")
                continue
        kept.append(j)
    return sentences


def count_levels(design: Design, outcome: np.ndarray) -> pl.DataFrame:
    """Returns term, level, n, n_events: every level of the categorical terms, and the values of 0/1 numbers."""
    coded = design.coded
    numbers = [term for term in coded.columns if coded.schema[term] == pl.Float64]
    binary = [term for term in numbers if coded[term].is_in([0.0, 1.0]).all()]
    counted = [term for term in coded.columns if term in binary or term not in numbers]
    return (
        coded.with_columns(pl.col(binary).cast(pl.Int64))
        .with_columns(pl.col(counted).cast(pl.String))
        .select(pl.Series("(event)", outcome, dtype=pl.Boolean), *counted)
        .unpivot(on=counted, index="(event)", variable_name="term", value_name="level")
        .group_by("term", "level", maintain_order=True)
        .agg(n=pl.len().cast(pl.Int64), n_events=pl.col("(event)").sum().cast(pl.Int64))
    )


def find_empty_cells(levels: pl.DataFrame) -> pl.DataFrame:
    """Returns the rows of count_levels in which all patients, or none, have the outcome."""
    return levels.filter((pl.col("n_events") == 0) | (pl.col("n_events") == pl.col("n"))).sort(
        "term", "level"
    )


def events_per_parameter(n_events: int, n_parameters: int) -> float | None:
    """Returns events per parameter (the intercept not counted); None for a model without parameters."""
    return n_events / n_parameters if n_parameters else None


def _sum_of(weights: np.ndarray, labels: list[str]) -> str:
    """Weights and names as a sum: '1 - b', 'a + 0.5 × b'."""
    parts: list[str] = []
    for weight, label in zip(weights, labels, strict=True):
        if abs(weight) < 1e-8:
            continue
        size = f"{abs(weight):.6g}"
        named = size if label == INTERCEPT else label if size == "1" else f"{size} × {label}"
        parts.append(("- " if weight < 0 else "+ " if parts else "") + named)
    return " ".join(parts) or "0"

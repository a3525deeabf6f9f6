"""The answers of a survey, counted: of everybody, and in each subgroup."""

from __future__ import annotations

import polars as pl

from d2tra.survey.answers import ASKED, STRAY
from d2tra.survey.codebook import Question, Survey

COUNTS: dict[str, type[pl.DataType]] = {
    "subgroup": pl.String,
    "group": pl.String,
    "question": pl.String,
    "choice": pl.String,
    "n": pl.Int64,
    "total": pl.Int64,
    "n_not_known": pl.Int64,
    "n_stray": pl.Int64,
    "median": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}
"""One row per group of respondents, question and choice; `subgroup` null: everybody; `group` null: who did not say.

A row with `choice` is of those who chose it (`n`) among those who answered (`total`). The row without is of the question:
who answered (`n`) among those asked (`total`), of how many is not known whether they were (`n_not_known`), how many answered
though they were not asked or that is not known (`n_stray`), and, of a scale, the median of the points with its quartiles.
"""


def count_answers(answers: pl.DataFrame, survey: Survey) -> pl.DataFrame:
    """Returns the counts (columns COUNTS): everybody first, then each subgroup by its options in the order of the codebook.

    `answers`: see `read_answers`. A group that nobody is in has its rows, with totals of 0, but that of those who did not say is
    left out.
    """
    frames = [pl.DataFrame(schema=COUNTS), *_of_group(answers, survey, None, None)]
    for subgroup in survey.subgroups:
        own = pl.col(subgroup).list.first()
        for group in survey.questions[subgroup].choices:
            frames += _of_group(answers.filter(own == group), survey, subgroup, group)
        unsaid = answers.filter(own.is_null())
        if unsaid.height:
            frames += _of_group(unsaid, survey, subgroup, None)
    return pl.concat(frames)


def _of_group(
    answers: pl.DataFrame, survey: Survey, subgroup: str | None, group: str | None
) -> list[pl.DataFrame]:
    return [
        _of_question(answers, name, question)
        .with_columns(
            subgroup=pl.lit(subgroup, pl.String), group=pl.lit(group, pl.String), question=pl.lit(name)
        )
        .select(pl.col(column).cast(kind) for column, kind in COUNTS.items())
        for name, question in survey.questions.items()
    ]


def _of_question(answers: pl.DataFrame, name: str, question: Question) -> pl.DataFrame:
    """A row for the question, then one per choice."""
    chosen, asked = pl.col(name), pl.col(name + ASKED)
    n_answered = chosen.is_not_null().sum()
    points = chosen.list.first().cast(pl.Float64) if question.kind == "scale" else pl.lit(None, pl.Float64)
    whole = answers.select(
        choice=pl.lit(None, pl.String),
        n=n_answered,
        total=asked.sum(),
        n_not_known=asked.is_null().sum(),
        n_stray=pl.col(name + STRAY).sum(),
        median=points.median(),
        low=points.quantile(0.25, "linear"),
        high=points.quantile(0.75, "linear"),
    )
    choices = [
        answers.select(choice=pl.lit(key), n=chosen.list.contains(key).sum(), total=n_answered)
        for key in question.choices
    ]
    return pl.concat([whole, *choices], how="diagonal_relaxed")

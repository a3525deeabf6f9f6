"""Exact pooling in rounds: the coordinator asks at a beta, each centre answers with its sums, until the peak is reached.

Only where the study says `share: exact_under_agreement`: sums give small counts away. See docs/across-centres.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field
from scipy.special import ndtr

from d2tra.centres.share import Named, SealedFile, ShareFile, seal
from d2tra.centres.sums import Climb, Sums, add_up, covariance, step, total
from d2tra.errors import StudyError, nearest
from d2tra.estimates import Z
from d2tra.models import ModelPlan
from d2tra.models.design import INTERCEPT, design_matrix
from d2tra.models.logistic import ROWS, read_outcome

AGREEMENT = "exact_under_agreement"
MOST_ROUNDS = 60
WIDE = float(np.log(1000))
Matrix = list[list[float]]


class RoundColumn(Named):
    """A column of the model."""

    unit_step: float = Field(gt=0)


class Round(SealedFile):
    """What the coordinator asks. `beta`: intercept first, then the columns. `base`, `loglik`, `information`: of the round
    before, see `Climb`; null in the first."""

    number: int = Field(ge=1)
    study: str
    protocol_sha256: str
    synthetic: bool
    cohort: str
    model: str
    definition: str
    method: Literal["logit", "firth"]
    centres: list[str]
    columns: list[RoundColumn]
    beta: list[float]
    base: list[float] | None
    loglik: float | None
    information: Matrix | None

    def place(self) -> Climb:
        """Returns where the climb stands."""
        base, information = (
            None if given is None else np.array(given) for given in (self.base, self.information)
        )
        return Climb(np.array(self.beta), base, self.loglik, information)


class Answer(SealedFile):
    """One centre's sums at the round's beta, see `Sums`; `derivative` and `augmented` are null where the method is logit."""

    round_sha256: str
    site: str
    n: int = Field(ge=0)
    n_events: int = Field(ge=0)
    loglik: float = Field(allow_inf_nan=False)
    score: list[float]
    information: Matrix
    derivative: list[Matrix] | None
    augmented: Matrix | None

    def sums(self, columns: int) -> Sums:
        """Returns the sums; ValueError where their shapes are not those of so many columns."""
        score, information = np.array(self.score), np.array(self.information)
        derivative = np.zeros((columns,) * 3) if self.derivative is None else np.array(self.derivative)
        augmented = information if self.augmented is None else np.array(self.augmented)
        shapes = [one.shape for one in (score, information, derivative, augmented)]
        if shapes != [(columns,), (columns,) * 2, (columns,) * 3, (columns,) * 2]:
            raise ValueError(f"shapes {shapes}")
        return Sums(self.n, self.n_events, self.loglik, score, information, derivative, augmented)


def start_rounds(
    files: Sequence[ShareFile], plan: ModelPlan, cohort: str, definition: str, refused: Collection[str]
) -> dict[str, Any]:
    """Returns the first round of a multivariable model for the centres of these files; its columns are those they name,
    but for the factors `refused` against the definition.

    `method` auto and flic become firth: separation cannot be seen in sums. StudyError where a centre has no agreement, the
    model is univariable, or no file holds it for this definition.
    """
    without = [file.site for file in files if file.share != AGREEMENT]
    if without:
        raise StudyError(
            f"exact rounds need `share: {AGREEMENT}` in the study of every centre; without it: {', '.join(without)}. "
            "Sums give small counts away, so the centres must have agreed. Pool the files themselves: d2tra pool."
        )
    if plan.kind != "multivariable":
        raise StudyError(
            f"model {plan.name} is univariable; rounds fit one model. Write its factor into a multivariable one."
        )
    columns = _columns(files, plan, definition, refused)
    return seal(
        {
            "number": 1,
            **{name: getattr(files[0], name) for name in ("study", "protocol_sha256", "synthetic")},
            "cohort": cohort,
            "model": plan.name,
            "definition": definition,
            "method": "logit" if plan.method == "logit" else "firth",
            "centres": [file.site for file in files],
            "columns": columns,
            "beta": [0.0] * (len(columns) + 1),
            **dict.fromkeys(("base", "loglik", "information")),
        }
    )


def answer_round(asked: Round, site: str, members: pl.DataFrame) -> dict[str, Any]:
    """Returns the site's sums over its rows of the cohort's analysis set (complete cases) at the round's beta."""
    matrix, event = _own_matrix(asked, site, members.filter(pl.col("site") == site))
    sums = add_up(matrix, event, asked.place())
    firth = asked.method == "firth"
    return seal(
        {
            "round_sha256": asked.sha256,
            "site": site,
            **{name: getattr(sums, name) for name in ("n", "n_events", "loglik")},
            **{name: getattr(sums, name).tolist() for name in ("score", "information")},
            **{name: getattr(sums, name).tolist() if firth else None for name in ("derivative", "augmented")},
        }
    )


def next_round(asked: Round, answers: Sequence[Answer]) -> dict[str, Any] | pl.DataFrame:
    """Returns the next round, or the fit where this one was at the peak: columns of models/<model>.csv, limits by Wald.

    StudyError where a centre's answer is missing, double, of another round or of other columns, or the climb does not end.
    """
    sums = total(_checked(asked, answers))
    there = step(asked.place(), sums, asked.method)
    if there is None:
        return _fit_table(asked, sums)
    if asked.number >= MOST_ROUNDS:
        raise StudyError(
            f"no peak after {asked.number} rounds: under logit the data may be separated; use firth."
        )
    climb = {name: np.asarray(value).tolist() for name, value in there._asdict().items()}
    return seal(
        {**asked.model_dump(exclude={"schema_version", "sha256"}), **climb, "number": asked.number + 1}
    )


def _columns(
    files: Sequence[ShareFile], plan: ModelPlan, definition: str, refused: Collection[str]
) -> list[dict[str, Any]]:
    """Every level that a centre names in its fits of this model, in the order of the model's factors."""
    fits = [fit for file in files for fit in file.fits if fit.model == plan.name]
    known = sorted({fit.definition for fit in fits})
    if definition not in known:
        raise StudyError(
            f"no file holds model {plan.name} for definition {definition!r}{nearest(definition, known)} "
            f"Definitions there: {', '.join(known) or 'none'}."
        )
    named: dict[str, dict[str | None, str | None]] = {}
    for one in (one for fit in fits for part in (fit.terms, fit.held_back) for one in part):
        named.setdefault(one.term, {}).setdefault(one.level, one.reference)
    columns: list[dict[str, Any]] = []
    for factor in plan.modelled:
        levels = named.get(factor.name, {}) if factor.name not in refused else {}
        categorical = {level: reference for level, reference in levels.items() if level and reference}
        columns += [
            {"term": factor.name, "level": level, "reference": reference, "unit_step": factor.unit_step}
            for level, reference in sorted((categorical or levels).items(), key=str)
        ]
    return columns


def _own_matrix(asked: Round, site: str, members: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    event = read_outcome(members, asked.definition)
    terms = list(dict.fromkeys(column.term for column in asked.columns))
    design = design_matrix(
        members.filter(event.is_not_null()),
        terms,
        {column.term: column.reference for column in asked.columns if column.reference is not None},
        {column.term: column.unit_step for column in asked.columns},
    )
    vectors = [np.ones(design.coded.height)]
    for column in asked.columns:
        values = design.coded[column.term]
        if column.reference is None and values.dtype == pl.String:
            raise StudyError(
                f"factor {column.term}: no centre's file names its levels, so no column can be made of it."
            )
        vectors.append(
            (values if column.reference is None else values == column.level).to_numpy().astype(float)
        )
    for term in terms:
        levels = {x for c in asked.columns if c.term == term for x in (c.level, c.reference)}
        unasked = (
            set(design.coded[term].drop_nulls()) - levels if design.coded[term].dtype == pl.String else set()
        )
        if unasked:
            raise StudyError(
                f"site {site}: factor {term} has {len(unasked)} level(s) that the rounds do not ask for. Make the centre's "
                "share file anew and start again from it."
            )
    return np.column_stack(vectors), event.drop_nulls().filter(design.complete).to_numpy().astype(float)


def _checked(asked: Round, answers: Sequence[Answer]) -> list[Sums]:
    by_site: dict[str, Answer] = {}
    for answer in answers:
        if answer.round_sha256 != asked.sha256:
            raise StudyError(
                f"the answer of {answer.site} is not to round {asked.number}, or the round was changed on its way."
            )
        if answer.site in by_site or answer.site not in asked.centres:
            raise StudyError(
                f"an answer of {answer.site} too many: the centres are {', '.join(asked.centres)}."
            )
        by_site[answer.site] = answer
    missing = [site for site in asked.centres if site not in by_site]
    if missing:
        raise StudyError(f"round {asked.number}: no answer yet of {', '.join(missing)}.")
    found = []
    for site in asked.centres:
        try:
            found.append(by_site[site].sums(len(asked.beta)))
        except ValueError:
            raise StudyError(
                f"round {asked.number}: the sums of {site} are not those of its {len(asked.beta)} columns."
            ) from None
    return found


def _fit_table(asked: Round, sums: Sums) -> pl.DataFrame:
    errors = np.sqrt(np.diag(covariance(sums, asked.method)))
    names = [
        (INTERCEPT, None, None),
        *((column.term, column.level, column.reference) for column in asked.columns),
    ]
    rows = []
    for (term, level, reference), estimate, error in zip(names, asked.beta, errors.tolist(), strict=True):
        low, high = estimate - Z * error, estimate + Z * error
        wide = max(abs(low), abs(high)) > WIDE
        rows.append(
            {
                "definition": asked.definition,
                "term": term,
                "level": level,
                "reference": reference,
                "n": sums.n,
                "n_events": sums.n_events,
                "method": asked.method,
                "estimate": estimate,
                "std_error": error,
                "odds_ratio": float(np.exp(min(estimate, 700.0))),
                "ci_low": float(np.exp(min(low, 700.0))),
                "ci_high": float(np.exp(min(high, 700.0))),
                "p_value": 2 * float(ndtr(-abs(estimate / error))),
                "note": "separated, or nearly so" if wide else None,
            }
        )
    return pl.DataFrame(rows, schema={name: kind for name, kind in ROWS.items() if name != "smallest_cell"})

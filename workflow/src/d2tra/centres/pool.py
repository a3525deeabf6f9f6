"""Many centres' files, one answer: each term pooled with common and random effects, and the prevalence of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from d2tra.centres.share import WITHOUT, Key, Named, SharedFit, SharedTerm, ShareFile
from d2tra.pooling import JointEstimate, MetaAnalysis, meta_analyse, pool_jointly

POOLINGS = {"reml": ("reml", "hksj"), "dl": ("dl", "hksj"), "fixed": ("fixed", "wald")}
POOLED: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(("cohort", "model", "definition", "term", "level", "reference", "pooling", "interval"), pl.String),
    **dict.fromkeys(("n_centres", "n", "n_events"), pl.Int64),
    **dict.fromkeys(
        ("estimate", "std_error", "odds_ratio", "ci_low", "ci_high", "p_value", "prediction_low", "prediction_high",
         "tau2", "i2", "q", "q_p_value"), pl.Float64),
    **dict.fromkeys(("centres", "held_back", "method", "note"), pl.String),
}  # fmt: skip
"""Columns of pooled.csv. `pooling`: reml and dl (random effects, Hartung–Knapp), fixed (common effect, inverse variance),
joint (common effect, all terms of a model together by their covariances). `estimate` and `std_error` are log odds, the
limits and those of the prediction interval odds ratios. `n`, `n_events`: sums of the released counts of the centres that
contribute, null where one is suppressed. `i2` in %. `held_back`: the centres without an estimate, each with its reason.
`method`: how the centres fitted. Estimates are null, with the reason in `note`, where one centre alone has one."""
ALONE = "one centre only: not pooled"
NOWHERE = "no centre has an estimate"


class Contribution(NamedTuple):
    """One centre's estimate of one term."""

    site: str
    fit: SharedFit
    term: SharedTerm


class Question(NamedTuple):
    """What is pooled: one term and level of one model of one definition in one cohort. `without`: centre → why."""

    cohort: str
    model: str
    definition: str
    term: str
    level: str | None
    reference: str | None
    given: list[Contribution]
    without: dict[str, str]

    @property
    def key(self) -> Key:
        return self.term, self.level


def questions(files: Sequence[ShareFile]) -> list[Question]:
    """Returns every term of every fit in any of the files: fits in the order of the files, terms by name."""
    found: dict[tuple[str, ...], Question] = {}

    def asked(fit: SharedFit, one: Named) -> Question:
        of_fit = (fit.cohort, fit.model, fit.definition)
        new = Question(*of_fit, one.term, one.level, one.reference, [], {})
        return found.setdefault(_place(*of_fit, one.term, one.level), new)

    gaps = []
    for file in files:
        for fit in file.fits:
            for term in fit.terms:
                asked(fit, term).given.append(Contribution(file.site, fit, term))
            gaps += [(file.site, fit, gap) for gap in fit.held_back]
    levelled = {(fit.cohort, fit.model, fit.definition, gap.term) for _, fit, gap in gaps if gap.reference}
    levelled |= {(one.cohort, one.model, one.definition, one.term) for one in found.values() if one.reference}
    for site, fit, gap in gaps:
        # A factor that a centre could not fit at all is named there without its levels.
        if gap.reference or (fit.cohort, fit.model, fit.definition, gap.term) not in levelled:
            asked(fit, gap).without[site] = gap.reason
    for file in files:
        for one in found.values():
            if file.site not in {given.site for given in one.given} | set(one.without):
                one.without[file.site] = file.held_back_cohorts.get(one.cohort, WITHOUT)
    fits = list(dict.fromkeys((one.cohort, one.model, one.definition) for one in found.values()))
    return sorted(
        found.values(),
        key=lambda one: (fits.index((one.cohort, one.model, one.definition)), one.term, one.level or ""),
    )


def pool_estimates_of(files: Sequence[ShareFile]) -> pl.DataFrame:
    """Returns a row per cohort × model × definition × term × level × pooling, columns POOLED."""
    joint = _joint_estimates(files)
    rows = [row for one in questions(files) for row in _pooled_rows(one, joint)]
    return pl.DataFrame(rows, schema=POOLED)


def pool_counts_of(files: Sequence[ShareFile]) -> pl.DataFrame:
    """Returns cohort, definition, site (null: all together), n_centres, n, n_met, n_not_met, n_not_assessable, as released.

    Together: the sums over the centres that released n and n_met; a sum is null where one of them holds its count back.
    """
    names = ("n", "n_met", "n_not_met", "n_not_assessable")
    rows = [
        {"site": file.site, "n_centres": 1, **one.model_dump()} for file in files for one in file.prevalence
    ]
    schema = dict.fromkeys(("cohort", "definition", "site"), pl.String) | dict.fromkeys(
        ("n_centres", *names), pl.Int64
    )
    by_site = pl.DataFrame(rows, schema=schema)
    whole = pl.col("n").is_not_null() & pl.col("n_met").is_not_null()
    sums = by_site.group_by("cohort", "definition", maintain_order=True).agg(
        pl.lit(None, pl.String).alias("site"),
        whole.sum().cast(pl.Int64).alias("n_centres"),
        *[
            pl.when(whole.any() & pl.col(name).filter(whole).is_not_null().all()).then(pl.col(name).filter(whole).sum()).alias(name)
            for name in names
        ],
    )  # fmt: skip
    return pl.concat([by_site, sums.select(by_site.columns)]).sort(
        "cohort", "definition", maintain_order=True
    )


def _pooled_rows(asked: Question, joint: dict[tuple[str, ...], JointEstimate]) -> Iterator[dict[str, Any]]:
    common = {
        **{name: getattr(asked, name) for name in ("cohort", "model", "definition", "term", "level", "reference")},
        "n_centres": len(asked.given),
        "n": _sum_of(one.fit.n for one in asked.given),
        "n_events": _sum_of(one.fit.n_events for one in asked.given),
        "centres": "; ".join(one.site for one in asked.given) or None,
        "held_back": "; ".join(f"{site}: {reason}" for site, reason in asked.without.items()) or None,
        "method": ", ".join(sorted({one.fit.method for one in asked.given})) or None,
    }  # fmt: skip
    said = [word for word in ("separated", "exploratory", "not converged") for one in asked.given
            if word in (one.term.note or "")]  # fmt: skip
    said += ["adjusted for fewer factors" for one in asked.given
             if any(gap.reason == WITHOUT for gap in one.fit.held_back)]  # fmt: skip
    notes = "; ".join(dict.fromkeys(f"{word} in {said.count(word)} centre(s)" for word in said))
    if len(asked.given) < 2:
        yield {**common, "pooling": "reml", "note": ALONE if asked.given else NOWHERE}
        return
    estimates = [one.term.log_odds_ratio for one in asked.given]
    errors = [one.term.std_error for one in asked.given]
    for pooling, (method, interval) in POOLINGS.items():
        found = meta_analyse(estimates, errors, method, interval)
        note = "; ".join(filter(None, (notes, found.note))) or None
        between = {name: getattr(found, name) for name in ("tau2", "i2", "q", "q_p_value")}
        predicted = {name: _odds(getattr(found, name)) for name in ("prediction_low", "prediction_high")}
        yield {
            **common,
            **_numbers(found),
            **between,
            **predicted,
            "pooling": pooling,
            "interval": found.ci,
            "note": note,
        }
    together = joint.get(_place(asked.cohort, asked.model, asked.definition, *asked.key))
    if together:
        yield {**common, **_numbers(together), "pooling": "joint", "interval": "wald", "note": notes or None}


def _numbers(found: MetaAnalysis | JointEstimate) -> dict[str, float | None]:
    limits = {"odds_ratio": found.estimate, "ci_low": found.ci_low, "ci_high": found.ci_high}
    return {
        "estimate": found.estimate,
        "std_error": found.std_error,
        "p_value": found.p_value,
        **{name: _odds(value) for name, value in limits.items()},
    }


def _joint_estimates(files: Sequence[ShareFile]) -> dict[tuple[str, ...], JointEstimate]:
    """Per place (see _place) of the fits that hold two estimates or more: the common effect, all pooled together.

    Nothing for a fit of which one centre does not know the covariance.
    """
    same: dict[tuple[str, ...], list[SharedFit]] = {}
    for file in files:
        for fit in file.fits:
            same.setdefault((fit.cohort, fit.model, fit.definition, str(fit.factor)), []).append(fit)
    found: dict[tuple[str, ...], JointEstimate] = {}
    for (cohort, model, definition, *_), fits in same.items():
        keys: list[Key] = list(dict.fromkeys((one.term, one.level) for fit in fits for one in fit.terms))
        parts = [
            (
                [keys.index((one.term, one.level)) for one in fit.terms],
                [one.log_odds_ratio for one in fit.terms],
                fit.covariance,
            )
            for fit in fits
            if fit.terms
        ]
        if len(keys) > 1 and all(covariance is not None for *_, covariance in parts):
            for (term, level), estimate in zip(keys, pool_jointly(len(keys), parts), strict=True):  # type: ignore[arg-type]
                found[_place(cohort, model, definition, term, level)] = estimate
    return found


def _place(cohort: str, model: str, definition: str, term: str, level: str | None) -> tuple[str, ...]:
    return cohort, model, definition, term, str(level)


def _sum_of(counts: Iterator[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(count for count in known if count is not None)


def _odds(log_odds: float | None) -> float | None:
    return None if log_odds is None else float(np.exp(min(log_odds, 700.0)))

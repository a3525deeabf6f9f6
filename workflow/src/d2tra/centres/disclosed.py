"""From a centre's exact numbers to its share file: what the disclosure profile does not let out is held back by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from d2tra.centres.share import WITHOUT, is_positive, released_counts, seal
from d2tra.centres.summarise import STATUSES, ExactFit, Fitted, SiteSummary, summarise_site
from d2tra.config import Study
from d2tra.disclosure import Profile
from d2tra.models import ModelPlan
from d2tra.risk_factor_plan import Plan, load_plan

WORDS = ("separated", "exploratory", "not converged")  # of a model's note, those that leave with its estimate
SMALL = "its table against the outcome holds a count from 1 to {}"
RELATED = "made of the same parts as a factor that is held back: with exact counts one gives the other"
ROUNDS_TO_NOTHING = "its standard error is 0.00 when rounded: declare a larger unit step in the model"
SHARES_PATIENTS = "has patients in common with cohort {}: one could be subtracted from the other"


def share_files(
    study: Study,
    cohorts: Mapping[str, pl.DataFrame],
    plans: Sequence[ModelPlan],
    profiles: Sequence[Profile],
    protocol_sha256: str,
    synthetic: Collection[str],
    fitted: Mapping[tuple[str, str], Fitted],
) -> dict[tuple[str, str], dict[str, Any]]:
    """Returns profile and site → what share/<site>.json holds. `cohorts`: the analysis sets; `synthetic`: sites of made-up data;
    `fitted`: see summarise_site."""
    summaries = [summarise_site(site, cohorts, study, plans, fitted) for site in study.site_names]
    return {
        (profile.name, summary.site): share_file(
            summary, study, profile, protocol_sha256, summary.site in synthetic
        )
        for profile in profiles
        for summary in summaries
    }


def share_file(
    summary: SiteSummary, study: Study, profile: Profile, protocol_sha256: str, synthetic: bool
) -> dict[str, Any]:
    """Returns the sealed content of share/<site>.json: see d2tra.centres.share.ShareFile.

    A term with a small count in its table against the outcome is held back by name, with its covariances. Log odds ratios,
    standard errors and correlations have 2 decimals where anything is suppressed or rounded at all. Of cohorts with
    patients in common only the largest is there, and the intercept never is.
    """
    held_back, plan = _cohorts_held_back(summary, profile), load_plan()
    fits = [fit for fit in summary.fits if fit.cohort not in held_back]
    exact = [
        (None, None) if _is_subtractable(fit, summary, profile) else (fit.n, fit.n_events) for fit in fits
    ]
    counts = released_counts([count for pair in exact for count in pair], profile)
    return seal(
        {
            "study": study.name,
            "title": study.title,
            "primary": study.definition_names[0],
            "protocol_sha256": protocol_sha256,
            "share": study.share,
            "site": summary.site,
            "synthetic": synthetic,
            "profile": profile.name,
            "suppress_up_to": profile.suppress_up_to,
            "disclosure": profile.in_words(),
            "held_back_cohorts": held_back,
            "prevalence": [
                _released_count(one, profile) for one in summary.counts if one["cohort"] not in held_back
            ],
            "fits": [
                _released_fit(fit, profile, plan, _relatives(fit, fits, profile, plan), *pair)
                for fit, pair in zip(fits, zip(counts[::2], counts[1::2], strict=True), strict=True)
            ],
        }
    )


def _hidden_up_to(profile: Profile) -> int:
    """The largest count that no estimate may give away; 0 for a profile without disclosure control."""
    return max(profile.suppress_up_to, profile.base if profile.rounding != "none" else 0)


def _cohorts_held_back(summary: SiteSummary, profile: Profile) -> dict[str, str]:
    if not _hidden_up_to(profile):
        return {}
    kept: list[str] = []
    held_back = {}
    for name in sorted(summary.members, key=lambda name: -len(summary.members[name])):
        overlapping = [other for other in kept if summary.members[name] & summary.members[other]]
        if overlapping:
            held_back[name] = SHARES_PATIENTS.format(overlapping[0])
        else:
            kept.append(name)
    return held_back


def _released_count(one: dict[str, Any], profile: Profile) -> dict[str, Any]:
    parts = [one[name] for name in STATUSES.values()]
    if profile.rounding == "none" and any(0 < part <= profile.suppress_up_to for part in parts):
        return {
            **one,
            **dict.fromkeys(("n", *STATUSES.values())),
        }  # exact others would give the small one away
    return {**one, **dict(zip(("n", *STATUSES.values()), released_counts([one["n"], *parts], profile), strict=True))}  # fmt: skip


def _is_subtractable(fit: ExactFit, summary: SiteSummary, profile: Profile) -> bool:
    """Whether exact counts of another fit, or of the prevalence, less those of this fit leave a few patients; then its
    counts are held back."""
    if profile.rounding != "none":
        return False

    def parts(n: int, n_events: int) -> np.ndarray:
        return np.array([n, n_events, n - n_events])

    same = (fit.cohort, fit.definition)
    others = [
        parts(f.n, f.n_events) for f in summary.fits if (f.cohort, f.definition) == same and f.n >= fit.n
    ]
    others += [
        parts(c["n_met"] + c["n_not_met"], c["n_met"])
        for c in summary.counts
        if (c["cohort"], c["definition"]) == same
    ]
    left = np.abs(np.array(others) - parts(fit.n, fit.n_events))
    return bool(((left > 0) & (left <= profile.suppress_up_to)).any())


def _relatives(fit: ExactFit, fits: Sequence[ExactFit], profile: Profile, plan: Plan) -> set[str]:
    """The parts of all factors with a small count against the same outcome; none where counts are rounded anyway."""
    if profile.rounding != "none":
        return set()
    same = [other for other in fits if (other.cohort, other.definition) == (fit.cohort, fit.definition)]
    small = {row["term"] for other in same for row in other.rows if _is_small(row, _hidden_up_to(profile))}
    return {part for name in small for part in plan.made_of(name)}


def _is_small(row: dict[str, Any], limit: int) -> bool:
    return limit > 0 and (row["smallest_cell"] or 0) <= limit


def _released_fit(
    fit: ExactFit, profile: Profile, plan: Plan, relatives: set[str], n: int | None, n_events: int | None
) -> dict[str, Any]:
    limit = _hidden_up_to(profile)
    places = 2 if limit else 15
    terms, held_back = [], []
    for row in fit.rows:
        name = {key: row[key] for key in ("term", "level", "reference")}
        error = None if row["std_error"] is None else round(row["std_error"], places)
        reason = _why_held_back(row, error, limit)
        if reason is None and not relatives.isdisjoint(plan.made_of(row["term"])):
            reason = RELATED
        if reason:
            held_back.append({**name, "reason": reason})
            continue
        note = "; ".join(word for word in WORDS if word in (row["note"] or "")) or None
        terms.append(
            {**name, "log_odds_ratio": round(row["estimate"], places), "std_error": error, "note": note}
        )
    estimated = [(row["term"], row["level"]) for row in fit.rows if row["estimate"] is not None]
    kept = [estimated.index((term["term"], term["level"])) for term in terms]
    return {
        **{
            name: getattr(fit, name)
            for name in ("cohort", "model", "factor", "definition", "method", "missing")
        },
        "n": n,
        "n_events": n_events,
        "terms": terms,
        "covariance": _released_covariance(fit, kept, [term["std_error"] for term in terms], bool(limit)),
        "held_back": held_back,
    }


def _why_held_back(row: dict[str, Any], error: float | None, limit: int) -> str | None:
    if error is None or row["estimate"] is None:
        return WITHOUT
    if _is_small(row, limit):
        return SMALL.format(limit)
    return ROUNDS_TO_NOTHING if error == 0 else None


def _released_covariance(
    fit: ExactFit, kept: list[int], errors: list[float], rounded: bool
) -> list[list[float]] | None:
    """From the released standard errors and the correlations; rounded towards 0, so that they stay those of a covariance."""
    if fit.correlation is None:
        return None
    correlation = fit.correlation[np.ix_(kept, kept)]
    if rounded:
        correlation = np.trunc(correlation * 100 + np.sign(correlation) * 1e-9) / 100
    np.fill_diagonal(correlation, 1.0)
    while not is_positive(correlation):
        correlation = np.where(np.eye(len(kept), dtype=bool), 1.0, np.trunc(correlation * 95) / 100)
    matrix: list[list[float]] = (correlation * np.outer(errors, errors)).tolist()
    return matrix

"""Every score of every visit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from d2tra.config import setting_path
from d2tra.errors import StudyError, nearest
from d2tra.extract import schemas
from d2tra.scores import cdai, dapsa, das28, pasdas, rapid3
from d2tra.scores.bands import banded, rounded
from d2tra.scores.boolean import items_met
from d2tra.scores.labs import borrow_labs
from d2tra.scores.settings import ScoreSettings, load_score_settings

FORMULAS: dict[str, Callable[[], pl.Expr]] = {
    "das28_esr": das28.das28_esr,
    "das28_crp": das28.das28_crp,
    "das28_esr_3v": das28.das28_esr_3v,
    "das28_crp_3v": das28.das28_crp_3v,
    "cdai": cdai.cdai,
    "sdai": cdai.sdai,
    "dapsa": dapsa.dapsa,
    "cdapsa": dapsa.cdapsa,
    "rapid3": rapid3.rapid3,
    "pasdas": pasdas.pasdas,
}
BORROWED = ["esr_mm_h_used", "esr_source", "esr_days", "crp_mg_l_used", "crp_source", "crp_days"]
FLAGS = ["near_cutoff", "subjective_only"]
ACTIVE = ["moderate", "high"]  # bands of DAS28
DISEASES = pl.Enum(["any", *schemas.COLUMNS["patients"]["disease"].allowed])


def score_visits(
    visits: pl.DataFrame,
    labs: pl.DataFrame | None = None,
    patients: pl.DataFrame | None = None,
    scores: Iterable[str] | Mapping[str, Any] | None = None,
    *,
    as_text: bool = True,
) -> pl.DataFrame:
    """Returns one row per visit, sorted by patient and date, with every score of `config/scores.yaml`.

    `visits`, `labs`, `patients`: canonical columns; an absent one counts as null. `patients` None: all scores for all
    rows; else the scores of one disease are null for the patients of the other. `scores`: the names wanted (None =
    all), or a mapping that replaces top-level keys of `config/scores.yaml`. `as_text` False: bands and sources are Enums,
    a byte each, for a registry's millions of visits.

    Columns: patient_id, visit_date; each score (Float64, unrounded; Boolean for the yes-or-no ones; null = a component
    is missing) and `<score>_band` where it has bands; esr_mm_h_used, crp_mg_l_used with `_source` (`visit`, `lab`) and
    `_days` from visit to sample; near_cutoff (DAS28-ESR or -CRP nearer to a cut-off than the setting); subjective_only
    (active by DAS28-ESR or -CRP, yet no swollen joint and normal CRP).
    Raises StudyError for an unknown score or key. Sources: `config/scores.yaml`.
    """
    settings = load_score_settings(scores if isinstance(scores, Mapping) else None)
    wanted = _wanted(settings, None if isinstance(scores, Mapping) else scores)
    complete_labs = None if labs is None else schemas.complete(labs, "labs")
    borrowed = borrow_labs(schemas.complete(visits, "visits"), complete_labs, settings.lab_window_days)
    rows = _with_disease(borrowed, patients)
    diseases = rows["disease"].unique().to_list()
    # lazily: what several scores and bands have in common is computed once, what nobody wants not at all
    scored = (
        rows.lazy()
        .with_columns(_components(settings))
        .with_columns(_value(name, settings, diseases).alias(name) for name in settings.scores)
    )
    with_words = scored.with_columns(
        banded(pl.col(name), settings.bands_of(name)).alias(f"{name}_band")
        for name in settings.scores
        if settings.bands_of(name)
    ).with_columns(_near_cutoff(settings), _subjective_only(settings))
    with_bands = [
        column
        for name in wanted
        for column in (name, f"{name}_band")
        if column == name or settings.bands_of(name)
    ]
    found = with_words.select("patient_id", "visit_date", *with_bands, *BORROWED, *FLAGS).collect()
    return found.with_columns(cs.enum().cast(pl.String)) if as_text else found


def visit_columns() -> list[str]:
    """Returns the columns of a valid table of visits that `score_visits` looks at, sorted; names of what it makes of them
    (crp_mg_dl) are among these."""
    settings = load_score_settings()
    ways = [*_components(settings), *(_formula(name, settings) for name in settings.scores)]
    looked_at = {root for way in ways for root in way.meta.root_names()}
    return sorted({"patient_id", "visit_date", "esr_mm_h", "crp_mg_l", *looked_at})


def components_of(column: str) -> tuple[str, ...]:
    """Returns the columns of visits that a score, its band or a flag of `score_visits` is computed from, sorted.

    ESR and CRP stand for those of the laboratory too, HAQ-DI for its categories. Any other column is its own component.
    """
    path = setting_path("scores")
    name = column.removesuffix("_band")
    return _components_by_score(path, path.stat().st_mtime_ns).get(name, (column.removesuffix("_used"),))


@lru_cache(maxsize=2)
def _components_by_score(_path: Path, _changed: int) -> dict[str, tuple[str, ...]]:
    """Read off the expressions themselves, once per state of config/scores.yaml."""
    settings = load_score_settings()
    flags = [*_components(settings), _near_cutoff(settings), _subjective_only(settings)]
    ways = {flag.meta.output_name(): flag for flag in flags}
    ways |= {name: _formula(name, settings) for name in settings.scores}

    def roots(name: str) -> set[str]:
        way = ways.get(name.removesuffix("_band"))
        if way is None:
            return {name.removesuffix("_used")}
        return {found for root in way.meta.root_names() if root != "disease" for found in roots(root)}

    return {name: tuple(sorted(roots(name))) for name in ways}


def _wanted(settings: ScoreSettings, scores: Iterable[str] | None) -> list[str]:
    wanted = (
        list(settings.scores) if scores is None else [scores] if isinstance(scores, str) else list(scores)
    )
    for name in [*wanted, *settings.scores]:
        if name not in settings.scores or not (settings.scores[name].items or name in FORMULAS):
            known = [*FORMULAS, *(score for score, block in settings.scores.items() if block.items)]
            raise StudyError(f"no score {name!r}{nearest(name, known)} Known scores: {', '.join(known)}.")
    return wanted


def _with_disease(visits: pl.DataFrame, patients: pl.DataFrame | None) -> pl.DataFrame:
    """Looked up once per patient: the rows of one stand together."""
    if patients is None:
        return visits.with_columns(disease=pl.lit("any", dtype=DISEASES))
    diseases = schemas.complete(patients, "patients").select("patient_id", "disease").unique()
    patient = visits["patient_id"]
    starts = (patient != patient.shift()).fill_null(True)
    of_each = patient.filter(starts).to_frame().join(
        diseases.with_columns(pl.col("disease").cast(DISEASES, strict=False)),
        on="patient_id", how="left", validate="m:1", maintain_order="left",
    )["disease"]  # fmt: skip
    return visits.with_columns(disease=of_each.gather(starts.cum_sum() - 1))


def _components(settings: ScoreSettings) -> list[pl.Expr]:
    return [
        pl.col("esr_mm_h_used").clip(lower_bound=settings.esr_floor_mm_h).alias("esr_floored"),
        (pl.col("crp_mg_l_used") / 10).alias("crp_mg_dl"),
        (pl.col("patient_global_mm") / 10).alias("patient_global_cm"),
        (pl.col("physician_global_mm") / 10).alias("physician_global_cm"),
        (pl.col("pain_mm") / 10).alias("pain_cm"),
    ]


def _value(name: str, settings: ScoreSettings, diseases: Sequence[str | None]) -> pl.Expr:
    """The score, not computed where no patient has its disease."""
    score = settings.scores[name]
    if score.disease and not {"any", score.disease} & {*diseases}:
        return pl.lit(None, dtype=pl.Boolean if score.items else pl.Float64)
    return _formula(name, settings)


def _formula(name: str, settings: ScoreSettings) -> pl.Expr:
    score = settings.scores[name]
    value = items_met(score.items, score.needed) if score.items and score.needed else FORMULAS[name]()
    if score.disease is None:
        return value
    disease = pl.col("disease")
    return pl.when((disease == "any") | (disease == score.disease)).then(value)


def _near_cutoff(settings: ScoreSettings) -> pl.Expr:
    distances = [
        (rounded(pl.col(score)) - cut_off).abs()
        for score in ("das28_esr", "das28_crp")
        for cut_off in settings.schemes[str(settings.scores[score].bands)].cut_offs()
    ]
    # rounding keeps the order, so only the least is rounded
    return (rounded(pl.min_horizontal(distances)) < settings.near_cutoff_below).alias("near_cutoff")


def _subjective_only(settings: ScoreSettings) -> pl.Expr:
    active = pl.max_horizontal(
        pl.col(f"{score}_band").is_in([edge.band for edge in settings.bands_of(score) if edge.band in ACTIVE])
        for score in ("das28_esr", "das28_crp")
    )
    crp_normal = rounded(pl.col("crp_mg_l_used")) <= settings.subjective_crp_up_to
    return (active & (pl.col("sjc28") == 0) & crp_normal).alias("subjective_only")

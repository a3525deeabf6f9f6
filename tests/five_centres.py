"""One cohort split over five centres: the 722 patients of tests/data/reference/cohort722.csv, each centre with a folder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from d2tra import io
from d2tra.centres.disclosed import share_files
from d2tra.centres.share import shared_protocol
from d2tra.config import Study, load_study
from d2tra.disclosure import load_profile
from d2tra.models import load_model

REFERENCE = Path(__file__).parent / "data" / "reference"
CENTRES = tuple(f"centre_{number}" for number in range(1, 6))
FACTORS = (
    "age", "female", "seropositive", "obesity", "fibromyalgia", "osteoarthritis", "smoker", "depression",
    "disease_duration", "das28_baseline",
)  # fmt: skip
YES_NO = FACTORS[1:8]
STUDY = """\
title: A cohort split over five centres
sites: [{site}]
cohorts: [{{name: full}}]
definitions: [eular_2021]
models: [{models}]
release: [{profile}]
seed: 1
share: {share}
"""
MODEL = """\
kind: {kind}
method: {method}
above_budget: report_as_exploratory
factors: [{factors}]
"""
MODELS = {
    "all_logit": {"kind": "multivariable", "method": "logit"},
    "all_firth": {"kind": "multivariable", "method": "firth"},
    "each": {"kind": "univariable", "method": "firth"},
}
PROTOCOL = {
    "files": {"config/definitions/eular_2021.yaml": "a hash", "config/studies/split.yaml": "not shared"}
}


def analysis_set() -> pl.DataFrame:
    """Returns the whole cohort, every fifth patient in the same centre."""
    place = pl.int_range(pl.len())
    return pl.read_csv(REFERENCE / "cohort722.csv").with_columns(
        pl.col(YES_NO).cast(pl.Boolean),
        site=pl.format("centre_{}", place % 5 + 1),
        patient_id=pl.format("NOBODY{}", place),
        eular_2021=pl.when(pl.col("d2t") == 1).then(pl.lit("met")).otherwise(pl.lit("not_met")),
    )


def write_centre(
    folder: Path,
    site: str,
    models: Sequence[str],
    share: str = "exact_under_agreement",
    profile: str = "local_audit",
) -> Study:
    """Writes a centre's study, models and results into a folder, and its share.json; the working directory must be there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in models:
        text = MODEL.format(**MODELS[name], factors=", ".join(FACTORS))
        io.write_text(text, folder / "config" / "models" / f"{name}.yaml")
    text = STUDY.format(site=site, share=share, profile=profile, models=", ".join(models))
    io.write_text(text, folder / "split.yaml")
    private = folder / "results" / "split" / "private"
    own = analysis_set().filter(pl.col("site") == site)
    io.write(own, private / "cohorts" / "full" / "analysis_set.parquet")
    io.write_json(PROTOCOL, private / "protocol.json")
    study = load_study("split.yaml")
    io.write_json(share_content(study, own, profile), folder / f"{site}.json")
    return study


def share_content(study: Study, members: pl.DataFrame, profile: str) -> dict[str, Any]:
    """Returns what the share file of the study's only site holds."""
    plans = [load_model(name) for name in study.models]
    protocol = shared_protocol(study, PROTOCOL)
    made = share_files(
        study, {"full": members}, plans, [load_profile(profile)], protocol, study.site_names, {}
    )
    return made[profile, study.site_names[0]]

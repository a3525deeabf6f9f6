"""What records say against each other: a code against the laboratory, a diagnosis against the disease, a score against its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from d2tra.codelists import diagnosis_concepts

Contradiction = tuple[str, str, str, int, str]
RA = "rheumatoid_arthritis"


def contradictions(
    valid: Mapping[str, pl.DataFrame], checks: Mapping[str, Mapping[str, Any]]
) -> Iterator[Contradiction]:
    """Yields table, column, check, n, message of each check of config/quality.yaml that is judged here; n may be 0."""
    yield from _esr_below_1(valid)
    yield _low_recorded_das28(valid["visits"], checks["recorded_das28_low"])
    if "diagnoses" in valid:
        coded = diagnosis_concepts(valid["diagnoses"])
        yield _another_arthritis(valid["patients"], coded, checks["another_arthritis_coded"])
        if "labs" in valid:
            yield _seronegative(coded, valid["labs"])


def _esr_below_1(valid: Mapping[str, pl.DataFrame]) -> Iterator[Contradiction]:
    counted = {("visits", "esr_mm_h"): valid["visits"]["esr_mm_h"]}
    if "labs" in valid:
        counted["labs", "value"] = valid["labs"].filter(test="esr")["number"]
    for (table, column), values in counted.items():
        n = int((values < 1).sum())
        yield (
            table,
            column,
            "esr_below_1",
            n,
            f"{n} ESR are below 1 mm/h and count as 1 in the logarithm of DAS28.",
        )


def _low_recorded_das28(visits: pl.DataFrame, rule: Mapping[str, Any]) -> Contradiction:
    scores = visits.filter(pl.col("recorded_das28_form").is_null())["recorded_das28"].drop_nulls()
    median = scores.median()
    n = len(scores) if len(scores) >= rule["values_at_least"] and median < rule["median_below"] else 0
    message = f"the median of {n} recorded DAS28 of unknown form is below {rule['median_below']}: are they DAS of 44 joints?"
    return "visits", "recorded_das28", "recorded_das28_low", n, message


def _another_arthritis(patients: pl.DataFrame, coded: pl.DataFrame, rule: Mapping[str, Any]) -> Contradiction:
    ra = patients.filter(disease="RA")
    others = coded.filter(pl.col("concept").is_in(rule["concepts"]))
    n = (
        ra.join(others, on="patient_id", how="semi")
        .join(coded.filter(concept=RA), on="patient_id", how="anti")
        .height
    )
    message = (
        f"{n} patients of disease RA are coded with another arthritis (psoriatic, juvenile, adult-onset Still, "
        "unspecified inflammatory polyarthropathy) and never with RA; they stay in: correct `disease`, or leave them out."
    )
    return "patients", "disease", "another_arthritis_coded", n, message


def _seronegative(coded: pl.DataFrame, labs: pl.DataFrame) -> Contradiction:
    word = pl.col("value").str.strip_chars().str.to_lowercase()
    above = (pl.col("number") > pl.col("upper_limit")) | word.is_in(["positive", "weak positive"])
    positive = labs.filter(pl.col("test").is_in(["rf", "anti_ccp"]), above)
    seronegative = coded.filter(concept=RA, detail="seronegative").select("patient_id").unique()
    n = seronegative.join(positive, on="patient_id", how="semi").height
    message = (
        f"{n} patients with a code of seronegative RA have a positive RF or anti-CCP; the laboratory counts."
    )
    return "diagnoses", "code", "seronegative_code", n, message

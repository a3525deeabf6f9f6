"""Drug exposures of the OMOP CDM: which molecule, from when to when, how much a day."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from d2tra.extract.cells import read_number
from d2tra.extract.omop_codes import Codes
from d2tra.extract.omop_ledger import Ledger, in_order
from d2tra.extract.omop_tables import CDM

DRUG = ["drug_concept_id", "drug_source_concept_id", "drug_source_value"]


def shape_treatments(
    members: dict[str, pl.DataFrame],
    there: Mapping[str, pl.LazyFrame],
    codes: Codes,
    recognise: Callable[..., pl.DataFrame],
    ledger: Ledger,
) -> dict[str, pl.DataFrame]:
    """The table treatments of drug_exposure, or of drug_era where there are no exposures; none of neither."""
    rows = members.get("drug_exposure")
    if "drug_era" in members:
        eras = members["drug_era"]
        if rows is not None and rows.height:
            ledger.count("drug_era", "made of drug_exposure, which is read", eras.height)
        else:
            named = {
                "drug_era_start_date": "drug_exposure_start_date",
                "drug_era_end_date": "drug_exposure_end_date",
            }
            empty = [
                pl.lit(None, dtype=pl.String).alias(name)
                for name in CDM["drug_exposure"].other
                if name not in named.values()
            ]
            rows = eras.rename(named).with_columns(empty)
    if rows is None:
        return {}
    rows = _with_dose(_with_drug(rows, there, codes, recognise), there, codes)
    ledger.count_rows(rows)
    left_out = rows.filter(pl.col("became") != "treatments")
    ledger.list_unknown(left_out, "drug", "drug_concept_id", "drug_source_value", codes)
    start, end = (pl.col(f"drug_exposure_{which}_date").str.head(10) for which in ("start", "end"))
    table = rows.filter(became="treatments").select(
        "drug", "atc_code", "daily_dose_mg",
        patient_id="person_id",
        start_date=start,
        # the CDM demands an end: one equal to the start says that none is known, but for a verbatim one
        stop_date=pl.coalesce(pl.col("verbatim_end_date").str.head(10), pl.when(end != start).then(end)),
        stop_reason=pl.coalesce(codes.meaning("stop_reason", source="stop_reason"), "stop_reason"),
    )  # fmt: skip
    order = ("patient_id", "drug", "atc_code", "start_date", "stop_date", "stop_reason", "daily_dose_mg")
    return {"treatments": in_order(table, *order)}


def _with_drug(
    rows: pl.DataFrame,
    there: Mapping[str, pl.LazyFrame],
    codes: Codes,
    recognise: Callable[..., pl.DataFrame],
) -> pl.DataFrame:
    """The rows with drug (text that is recognised, or null), atc_code, became."""
    kinds = rows.select(DRUG).unique(maintain_order=True)
    ingredients = _ingredients(there, codes)
    atc = [pl.when(codes.vocabulary_of(name) == "ATC").then(codes.code_of(name)) for name in DRUG[:2]]
    listed = [
        pl.col(name).replace_strict(ingredients, default=None, return_dtype=pl.String) for name in DRUG[:2]
    ]
    kinds = kinds.with_columns(
        atc_code=pl.coalesce(atc), listed=pl.coalesce(listed),
        **{f"name_{n}": codes.name_of(name) for n, name in enumerate(DRUG[:2])},
    )  # fmt: skip

    def read(text: str, code: str | None = None) -> pl.DataFrame:
        return recognise(kinds[text], kinds[code] if code else None)

    written = read("drug_source_value", "atc_code")
    by_concept = [read(text)["molecule"].alias(f"by_{text}") for text in ("listed", "name_0", "name_1")]
    kinds = kinds.with_columns(
        written["molecule"].alias("by_source"), written["problem"].alias("problem"), *by_concept
    )
    kinds = kinds.with_columns(by_concept=pl.coalesce("by_listed", "by_name_0", "by_name_1"))
    two = (pl.col("by_source") != pl.col("by_concept")).fill_null(False)
    is_written = (pl.col("by_source").is_not_null() | (pl.col("problem") == "two_molecules")) & pl.col(
        "drug_source_value"
    ).is_not_null()
    drug = pl.when(is_written).then("drug_source_value").otherwise(pl.coalesce("by_concept", "by_source"))
    became = (
        pl.when(two).then(pl.lit("concept and source value name two drugs"))
        .when(drug.is_null()).then(pl.lit("no drug of dmards.csv"))
        .otherwise(pl.lit("treatments"))
    )  # fmt: skip
    kinds = kinds.select(*DRUG, "atc_code", drug=drug, became=became)
    return rows.join(kinds, on=DRUG, how="left", nulls_equal=True, maintain_order="left")


def _ingredients(there: Mapping[str, pl.LazyFrame], codes: Codes) -> dict[str, str]:
    """Concept → molecule: the ingredients of the code list, and all concepts below one of them alone."""
    ingredients = codes.by_id("drug")
    if "concept_ancestor" not in there:
        return ingredients
    molecule = pl.col("ancestor_concept_id").replace_strict(ingredients, default=None, return_dtype=pl.String)
    below = there["concept_ancestor"].with_columns(molecule=molecule).drop_nulls("molecule")
    alone = (
        below.group_by("descendant_concept_id")
        .agg(pl.col("molecule").unique())
        .filter(pl.col("molecule").list.len() == 1)
    )
    found = alone.select("descendant_concept_id", pl.col("molecule").list.first()).collect()
    return dict(found.rows()) | ingredients


def _with_dose(rows: pl.DataFrame, there: Mapping[str, pl.LazyFrame], codes: Codes) -> pl.DataFrame:
    """The rows with daily_dose_mg: strength × quantity / days of supply, where drug_strength says one amount in mg."""
    if "drug_strength" not in there:
        return rows.with_columns(daily_dose_mg=pl.lit(None, dtype=pl.String))
    strength = there["drug_strength"].collect().filter(pl.col("amount_value").is_not_null())
    strength = strength.filter(
        (codes.meaning("unit", "amount_unit_concept_id") == "mg") & ~pl.col("drug_concept_id").is_duplicated()
    )
    rows = rows.join(
        strength.select("drug_concept_id", "amount_value"),
        on="drug_concept_id",
        how="left",
        maintain_order="left",
    )
    quantity, days = (read_number(pl.col(name)) for name in ("quantity", "days_supply"))
    dose = read_number(pl.col("amount_value")) * quantity / pl.when(days > 0).then(days)
    return rows.with_columns(daily_dose_mg=pl.when(quantity > 0).then(dose.round(6)).cast(pl.String))

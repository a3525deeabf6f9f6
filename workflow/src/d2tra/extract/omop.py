"""From tables of the OMOP CDM 5.4 to the canonical tables, as text: whoever has rheumatoid or psoriatic arthritis.

Every row of the CDM is counted once, by what became of it (docs/databases.md says how each table is read).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from d2tra.codelists import diagnosis_concepts, local_concept
from d2tra.errors import StudyError
from d2tra.extract.omop_codes import Codes
from d2tra.extract.omop_drugs import shape_treatments
from d2tra.extract.omop_ledger import Ledger, in_order
from d2tra.extract.omop_records import shape_records
from d2tra.extract.omop_tables import CDM
from d2tra.extract.site import SiteMapping

DISEASES = {"rheumatoid_arthritis": "RA", "psoriatic_arthritis": "PsA"}
CODE_SYSTEMS = {"ICD10": "icd10", "ICD10CM": "icd10", "ICD10GM": "icd10", "SNOMED": "snomed", "Read": "read2"}
ICD10_WITH_DOT = r"^[A-Z][0-9][0-9A-Z]\.[0-9A-Z]{1,4}$"  # Read codes have dots at their end only
STRANGER = "of nobody in table person"
OTHER_PERSON = "of a person without rheumatoid or psoriatic arthritis"


@dataclass(frozen=True)
class Shaped:
    """The canonical tables as text; what became of every row of the CDM (cdm_table, became, n_rows); concepts and
    source values that nothing is known of (UNKNOWN's columns), most frequent first."""

    tables: dict[str, pl.DataFrame]
    accounting: pl.DataFrame
    unknown: pl.DataFrame


def shape_tables(
    cdm: Mapping[str, pl.LazyFrame], site: SiteMapping, recognise: Callable[..., pl.DataFrame]
) -> Shaped:
    """Returns the canonical tables that the CDM's rows make, all cells text; a table that the CDM cannot tell of is none.

    `cdm`: the tables that are there, columns by `omop_tables.CDM` (absent ones are taken as empty), all text.
    `recognise` is `d2tra.treatment.recognise_drugs`. StudyError where nobody has either disease.
    """
    there = {name: _complete(rows, name) for name, rows in cdm.items()}
    codes = Codes(
        there["concept"].collect()
        if "concept" in there
        else pl.DataFrame(schema=dict.fromkeys(CDM["concept"].needed, pl.String))
    )
    ledger = Ledger()
    persons = there["person"].collect()
    kinds = _kinds_of_condition(there["condition_occurrence"], codes, site)
    diseased = _diseases(there["condition_occurrence"], kinds, persons)
    if diseased.is_empty():
        n_rows = there["condition_occurrence"].select(pl.len()).collect().item()
        raise StudyError(
            f"{site.path}: the cohort is empty: none of the {persons.height} persons of {site.title or site.name} has a diagnosis "
            f"of rheumatoid or psoriatic arthritis among {n_rows} rows of condition_occurrence "
            "(config/codelists/concepts.csv lists the codes; the site's own go under `local_codes`)."
        )
    members = {
        name: _members(rows, name, persons, diseased, ledger)
        for name, rows in there.items()
        if "person_id" in CDM[name].needed
    }
    records = shape_records(members, codes, site)
    ledger.count_rows(records.fates)
    ledger.list_unknown(records.unlisted, "concept", "concept", "source_value", codes)
    ledger.list_unknown(records.odd_units, "unit", "unit_concept_id", "unit_source_value", codes)
    tables = {
        "patients": _patients(members, diseased, records.facts, codes, ledger),
        "visits": records.visits,
        **({"labs": records.labs} if "measurement" in there else {}),
        **shape_treatments(members, there, codes, recognise, ledger),
        "diagnoses": _diagnoses(members["condition_occurrence"], kinds, ledger),
    }
    return Shaped(tables, *ledger.frames())


def _complete(rows: pl.LazyFrame, table: str) -> pl.LazyFrame:
    """Every column of the CDM table that is read, absent ones empty; a concept 0 is no concept."""
    present = rows.collect_schema().names()
    wanted = (*CDM[table].needed, *CDM[table].other)
    cells = [
        pl.col(name) if name in present else pl.lit(None, dtype=pl.String).alias(name) for name in wanted
    ]
    trimmed = pl.col(wanted).str.strip_chars()
    rows = rows.select(cells).with_columns(pl.when(trimmed != "").then(trimmed))
    return rows.with_columns(pl.col("^.*concept_id$").replace("0", None))


def _members(
    rows: pl.LazyFrame, table: str, persons: pl.DataFrame, diseased: pl.DataFrame, ledger: Ledger
) -> pl.DataFrame:
    """The rows of those who have the disease; the others are counted."""
    known, members = persons.lazy().select("person_id").unique(), diseased.lazy().select("person_id")
    mine = rows.join(members, on="person_id", how="semi", maintain_order="left").collect()
    n_all, n_known = (
        each.select(pl.len()).collect().item()
        for each in (rows, rows.join(known, on="person_id", how="semi"))
    )
    ledger.count(table, STRANGER, n_all - n_known)
    ledger.count(table, OTHER_PERSON, n_known - mine.height)
    return mine.with_columns(cdm_table=pl.lit(table))


KIND = ["condition_concept_id", "condition_source_concept_id", "condition_source_value"]


def _kinds_of_condition(rows: pl.LazyFrame, codes: Codes, site: SiteMapping) -> pl.DataFrame:
    """Every distinct condition (KIND) with the code it goes by: code_system, code, term; and disease (RA, PsA or null).

    Of the codes a condition has (its concept's id, the code of that concept, the code of its source concept, an ICD-10
    code with its dot, its source value as a local code) the first that config/codelists knows, else the first.
    """
    kinds = rows.select(KIND).unique().sort(KIND).collect().with_row_index("kind")
    source_value = pl.col("condition_source_value")

    def coded(concept: str) -> tuple[pl.Expr, pl.Expr]:
        system = codes.vocabulary_of(concept).replace_strict(
            CODE_SYSTEMS, default=None, return_dtype=pl.String
        )
        return system, codes.code_of(concept)

    ways = [
        (pl.lit("omop"), pl.col("condition_concept_id")),
        coded("condition_concept_id"),
        coded("condition_source_concept_id"),
        (pl.when(source_value.str.contains(ICD10_WITH_DOT)).then(pl.lit("icd10")), source_value),
        (pl.lit("local"), source_value),
    ]
    named = pl.coalesce(codes.name_of(name) for name in KIND[:2])
    candidates = pl.concat(
        kinds.select(
            "kind", way=pl.lit(number), code_system=system, code=code, name=named,
            patient_id=pl.format("{}|{}", "kind", pl.lit(number)), recorded_date=pl.lit(None, dtype=pl.Date),
        )
        for number, (system, code) in enumerate(ways)
    ).drop_nulls(["code_system", "code"])  # fmt: skip
    candidates = candidates.with_columns(local_concept=local_concept(site.local_codes))
    found = diagnosis_concepts(candidates).group_by("patient_id").agg("concept")
    chosen = (
        candidates.join(found, on="patient_id", how="left")
        .with_columns(is_known=pl.col("concept").is_not_null())
        .sort("kind", "is_known", "way", descending=[False, True, False])
        .unique("kind", keep="first", maintain_order=True)
    )
    disease = pl.coalesce(
        pl.when(pl.col("concept").list.contains(concept)).then(pl.lit(ours))
        for concept, ours in DISEASES.items()
    )
    term = pl.coalesce("name", pl.when(source_value != pl.col("code")).then(source_value))
    chosen = chosen.select("kind", "code_system", "code", "name", disease=disease)
    return kinds.join(chosen, on="kind", how="left", maintain_order="left").with_columns(term=term)


def _diseases(rows: pl.LazyFrame, kinds: pl.DataFrame, persons: pl.DataFrame) -> pl.DataFrame:
    """Who has which disease since when: person_id, disease, diagnosis_date (the earliest record of it).

    Who has records of both has the one recorded on more days, else the one recorded last.
    """
    coded = kinds.filter(pl.col("disease").is_not_null()).select(*KIND, "disease")
    recorded = rows.join(coded.lazy(), on=KIND, nulls_equal=True).join(
        persons.lazy().select("person_id").unique(), on="person_id", how="semi"
    )
    date = pl.col("condition_start_date").str.head(10)
    days = recorded.group_by("person_id", "disease").agg(
        n_days=date.n_unique(), diagnosis_date=date.min(), last=date.max()
    )
    return (
        days.sort("person_id", "n_days", "last", "disease", descending=[False, True, True, True])
        .unique("person_id", keep="first", maintain_order=True)
        .select("person_id", "disease", "diagnosis_date")
        .collect()
    )


def _diagnoses(rows: pl.DataFrame, kinds: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    coded = rows.join(kinds, on=KIND, how="left", nulls_equal=True, maintain_order="left")
    has_code = pl.col("code").is_not_null()
    ledger.count_rows(
        coded.with_columns(
            became=pl.when(has_code)
            .then(pl.lit("diagnoses"))
            .otherwise(pl.lit("no concept and no source value"))
        )
    )
    table = coded.filter(has_code).select(
        "code_system",
        "code",
        "term",
        patient_id="person_id",
        recorded_date=pl.col("condition_start_date").str.head(10),
    )
    return in_order(table, "patient_id", "recorded_date", "code_system", "code", "term")


def _patients(
    members: dict[str, pl.DataFrame],
    diseased: pl.DataFrame,
    facts: pl.DataFrame,
    codes: Codes,
    ledger: Ledger,
) -> pl.DataFrame:
    """One row per person with a disease; `facts`: person_id and what was observed of them, by canonical column."""
    persons = members["person"]
    sex = codes.meaning("sex", "gender_concept_id", "gender_source_concept_id", source="gender_source_value")
    ethnicity = codes.meaning(
        "ethnicity", "race_concept_id", "race_source_concept_id", source="race_source_value"
    )
    persons = persons.with_columns(sex=sex, ethnicity=ethnicity, became=pl.lit("patients"))
    ledger.count_rows(persons)
    for column, ours, part in (("gender", "sex", "gender"), ("race", "ethnicity", "race")):
        unread = persons.filter(
            pl.col(ours).is_null()
            & pl.any_horizontal(pl.col(f"{part}_concept_id", f"{part}_source_value").is_not_null())
        )
        ledger.list_unknown(unread, column, f"{part}_concept_id", f"{part}_source_value", codes)
    table = persons.select("person_id", "sex", "ethnicity", birth_year="year_of_birth")
    table = table.join(diseased, on="person_id", how="left", maintain_order="left")
    for name, date, ours, n_characters in (
        ("death", "death_date", "death_month", 7),
        ("observation_period", "observation_period_end_date", "last_contact_date", 10),
    ):
        if name in members:
            last = (
                members[name].group_by("person_id").agg(pl.col(date).str.head(n_characters).max().alias(ours))
            )
            table = table.join(last, on="person_id", how="left", maintain_order="left")
            ledger.count(name, "patients", members[name].height)
    table = table.join(facts, on="person_id", how="left", maintain_order="left")
    return table.rename({"person_id": "patient_id"}).sort("patient_id", maintain_order=True)

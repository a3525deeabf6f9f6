"""The code lists of config/codelists/ as frames: drugs with their kind and mechanism, and diagnosis concepts."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import polars as pl

from d2tra.config import codelist
from d2tra.errors import StudyError, nearest

KINDS = ("csdmard", "bdmard", "tsdmard", "glucocorticoid", "other")
BTS_KINDS = ("bdmard", "tsdmard")
ATC_CODE = r"[A-Z]\d\d[A-Z]{2}\d\d"
DESCENDANTS_IN_CODE = ("icd10", "read2")  # systems whose codes begin with the code of the wider concept
CONCEPT_COLUMNS = ["concept", "detail", "code_system", "code"]


def dmards() -> pl.DataFrame:
    """Returns one row per molecule, in the order of `config/codelists/dmards.csv` (sources stand there).

    molecule · kind (csdmard, bdmard, tsdmard, glucocorticoid, other) · moa_class (in words) · mechanism (the key under
    which failures are counted; null for csDMARDs, glucocorticoids, other) · suppresses_crp (Boolean: the drug lowers
    CRP and ESR by itself, at least partly) · prednisolone_factor (mg prednisolone per mg; null where not a
    glucocorticoid) · ra_licensed_ema, psa_licensed_ema (as written: `yes (national)`) · names (molecule and
    brands) and spellings (synonyms and misspellings too), lower case · look_alikes (lower case) · atc_codes (current and former). StudyError names a contradiction.
    """
    return _dmards(*_version("dmards"), *_version("mechanisms"))


def drug_words() -> list[str]:
    """Returns the routes, forms and frequencies that may stand around a drug's name (lower case), longest first."""
    words = pl.read_csv(codelist("drug_words"))["word"]
    return sorted(words, key=lambda word: (-len(word), word))


def concept_codes(concept: str | None = None) -> pl.DataFrame:
    """Returns the codes of a concept (of all, if None): concept, detail, code_system, code, description,
    include_descendants (Boolean), status, source. A range such as I20-I25 is one row per category.

    StudyError with the nearest known concept where there is no such one.
    """
    codes = _concepts(*_version("concepts"))
    if concept is None:
        return codes
    known = codes["concept"].unique().sort().to_list()
    if concept not in known:
        raise StudyError(
            f"concepts.csv has no concept {concept!r}{nearest(concept, known)} Known: {', '.join(known)}."
        )
    return codes.filter(pl.col("concept") == concept)


def local_concept(local_codes: Mapping[str, str]) -> pl.Expr:
    """Returns the concept that a site's own code (code_system `local`, any case) stands for (String; null = none), over
    code_system and code. `local_codes`: code → concept, as the site's mapping says."""
    system, key = pl.col("code_system"), _normalised(pl.col("code"), pl.lit("local"))
    codes = {code.strip().lower(): concept for code, concept in local_codes.items()}
    return pl.when(system == "local").then(key.replace_strict(codes, default=None, return_dtype=pl.String))


def diagnosis_concepts(diagnoses: pl.DataFrame) -> pl.DataFrame:
    """Returns the concepts that recorded diagnoses stand for: patient_id, concept, detail, recorded_date, each once.

    `diagnoses`: patient_id, recorded_date, code_system, code. `detail` is the site of an osteoarthritis, the serology of
    an RA … (null: not told); `recorded_date` null: not dated. A code of no concept gives no row. ICD-10 is compared
    without dot and dagger, and with every code below a listed one (M069 is below M06); Read v2 likewise, by its first
    five characters. SNOMED CT and OMOP codes match exactly: their descendants are not written in the code, so a site
    lists those it uses, or maps them. `local_concept`, where the diagnoses have it: what the site says of its own code.
    """
    key = _normalised(pl.col("code"), pl.col("code_system"))
    recorded = diagnoses.select("patient_id", "recorded_date", "code_system", key=key)
    codes = concept_codes().with_columns(key=key)
    distinct = recorded.select("code_system", "key").unique(maintain_order=True)
    found = [
        distinct.join(codes, on=["code_system", "key"]).select("code_system", "key", "concept", "detail")
    ]
    wider = codes.filter("include_descendants", pl.col("code_system").is_in(DESCENDANTS_IN_CODE))
    for n_characters in sorted(wider["key"].str.len_chars().unique()):
        below = distinct.with_columns(start=pl.col("key").str.slice(0, n_characters))
        matched = below.join(wider, left_on=["code_system", "start"], right_on=["code_system", "key"])
        found.append(matched.select("code_system", "key", "concept", "detail"))
    concepts = recorded.join(pl.concat(found), on=["code_system", "key"])
    concepts = concepts.select("patient_id", "concept", "detail", "recorded_date")
    if "local_concept" in diagnoses.columns:
        own = diagnoses.filter(pl.col("local_concept").is_not_null())
        no_detail = pl.lit(None, dtype=pl.String).alias("detail")
        concepts = pl.concat(
            [
                concepts,
                own.select(
                    "patient_id", pl.col("local_concept").alias("concept"), no_detail, "recorded_date"
                ),
            ]
        )
    return concepts.unique().sort("patient_id", "concept", "recorded_date", "detail")


def _normalised(code: pl.Expr, system: pl.Expr) -> pl.Expr:
    """The code as it is compared. Read codes keep their case: it carries meaning."""
    code = code.str.strip_chars()
    icd10 = code.str.to_uppercase().str.replace_all(r"[^A-Z0-9]", "")
    read2 = code.str.slice(0, 5).str.strip_chars_end(".")
    return (
        pl.when(system == "icd10")
        .then(icd10)
        .when(system == "read2")
        .then(read2)
        .otherwise(code.str.to_lowercase())
    )


def _version(name: str) -> tuple[Path, int]:
    """The list's path and time of change: what is read once is read again after an edit."""
    path = codelist(name)
    return path, path.stat().st_mtime_ns


@lru_cache(maxsize=8)
def _concepts(path: Path, _changed: int) -> pl.DataFrame:
    codes = pl.read_csv(path, infer_schema=False)
    categories = [_categories(code) for code in codes["code"]]
    return codes.with_columns(
        code=pl.Series(categories, dtype=pl.List(pl.String)),
        include_descendants=pl.col("include_descendants") == "yes",
    ).explode("code")


def _categories(code: str) -> list[str]:
    """`E12-E14` as E12, E13, E14; any other code as itself."""
    first, _, last = code.partition("-")
    if not last:
        return [code]
    return [f"{first[0]}{number:02d}" for number in range(int(first[1:]), int(last[1:]) + 1)]


@lru_cache(maxsize=8)
def _dmards(path: Path, _changed: int, mechanisms_path: Path, _mechanisms_changed: int) -> pl.DataFrame:
    listed = pl.read_csv(path, infer_schema=False)
    mechanisms = pl.read_csv(mechanisms_path, infer_schema=False).select("moa_class", "mechanism")
    brands, synonyms, look_alikes = (
        pl.col(name).fill_null("").str.to_lowercase().str.split(";")
        for name in ("brands", "misspellings_synonyms", "lookalike_never_match")
    )
    names = pl.concat_list(pl.col("molecule").str.to_lowercase(), brands)
    codes = pl.concat_str("atc_current", "atc_former", separator=" ", ignore_nulls=True)
    drugs = listed.join(mechanisms, on="moa_class", how="left", maintain_order="left").select(
        "molecule",
        pl.col("group").str.to_lowercase().alias("kind"),
        "moa_class",
        "mechanism",
        suppresses_crp=pl.col("suppresses_crp").str.extract(r"^(\w+)").is_in(["yes", "partly"]),
        prednisolone_factor=pl.Series(
            [_number(cell) for cell in listed["prednisolone_mg_per_mg"]], dtype=pl.Float64
        ),
        ra_licensed_ema="ra_licensed_ema",
        psa_licensed_ema="psa_licensed_ema",
        names=_filled(names),
        spellings=_filled(pl.concat_list(names, synonyms)),
        look_alikes=_filled(look_alikes),
        atc_codes=codes.str.extract_all(ATC_CODE).list.unique(maintain_order=True),
    )
    _refuse_contradictions(drugs, path)
    return drugs


def _filled(words: pl.Expr) -> pl.Expr:
    trimmed = words.list.eval(pl.element().str.strip_chars())
    return trimmed.list.eval(pl.element().filter(pl.element() != "")).list.unique(maintain_order=True)


def _number(fraction: str | None) -> float | None:
    return float(Fraction(fraction)) if fraction else None


def _refuse_contradictions(drugs: pl.DataFrame, path: Path) -> None:
    """A molecule of no known group, a b/tsDMARD without mechanism, a spelling or code of two molecules: StudyError."""
    for kind in drugs["kind"].unique():
        if kind not in KINDS:
            raise StudyError(
                f"{path}: column 'group': {kind!r} is no group{nearest(kind, KINDS)} Known: {', '.join(KINDS)}."
            )
    unclassed = drugs.filter(pl.col("kind").is_in(BTS_KINDS) & pl.col("mechanism").is_null())[
        "molecule"
    ].to_list()
    if unclassed:
        raise StudyError(
            f"{path}: the moa_class of {', '.join(unclassed)} is not in mechanisms.csv. Add one line for it there."
        )
    for column in ("spellings", "atc_codes"):
        twice = drugs.select(column).explode(column).drop_nulls().filter(pl.col(column).is_duplicated())
        if twice.height:
            names = ", ".join(twice[column].unique().sort())
            raise StudyError(f"{path}: these {column} stand with two molecules: {names}. Keep each with one.")

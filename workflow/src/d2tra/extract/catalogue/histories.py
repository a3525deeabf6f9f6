"""Could a patient's rows be so beside one another: copies, jumps, gaps, one person under two ids?"""

from __future__ import annotations

import polars as pl

from d2tra.extract.catalogue.facts import Counted, Facts, NotApplicableError
from d2tra.extract.schemas import ROW_DATES

PERSON = ["sex", "birth_year", "diagnosis_date"]
DAYS_PER_YEAR = 365.25
PAIRS: dict[str, pl.DataType] = {
    "patient_id": pl.String(), "other_patient_id": pl.String(), "sex": pl.String(), "birth_year": pl.Int64(),
    "diagnosis_date": pl.Date(), "n_same_drug_starts": pl.Int64(), "n_same_visit_dates": pl.Int64(),
}  # fmt: skip


def unchanged(facts: Facts, table: str, column: str, pairs_at_least: int) -> Counted:
    """Values equal to the patient's last one before; 0 after 0 does not count."""
    facts.filled(table, column)
    pairs = _successive(facts, table, column).filter((pl.col("value") != 0) | (pl.col("before") != 0))
    if pairs.height < pairs_at_least:
        raise NotApplicableError(f"fewer than {pairs_at_least} pairs of successive values")
    return Counted(pairs.height, pairs.filter(pl.col("value") == pl.col("before")).height, "pairs")


def ranges_over(facts: Facts, table: str, column: str, above: float) -> Counted:
    """Patients whose highest and lowest value are further apart than this."""
    facts.filled(table, column)
    values = facts.rows(table).drop_nulls(column).group_by("patient_id")
    spans = values.agg(n=pl.len(), span=pl.col(column).max() - pl.col(column).min()).filter(pl.col("n") > 1)
    return Counted(spans.height, spans.filter(pl.col("span") > above).height, "patients")


def changes_over(facts: Facts, table: str, column: str, percent: float, days: int) -> Counted:
    """Values that changed by more than so many percent since the patient's last one, within so many days."""
    facts.filled(table, column)
    pairs = _successive(facts, table, column).filter(pl.col("days") <= days, pl.col("before") != 0)
    change = 100 * (pl.col("value") / pl.col("before") - 1).abs()
    return Counted(pairs.height, pairs.filter(change > percent).height, "pairs")


def repeated_within(facts: Facts, table: str, column: str, days: int) -> Counted:
    """Visits with the same components as the patient's visit before, at most so many days later: entered twice.

    Which components, and how many must be known: `carried_forward` of config/quality.yaml.
    """
    rule = facts.limits["carried_forward"]
    names = rule["components"]
    rows = facts.rows(table).sort("patient_id", column)
    known = pl.sum_horizontal(pl.col(name).is_not_null() for name in names) >= rule["known_at_least"]
    same = pl.all_horizontal(
        pl.col(name).eq_missing(pl.col(name).shift(1).over("patient_id")) for name in names
    )
    near = pl.col(column).diff().over("patient_id").dt.total_days() <= days
    judged = rows.filter(known).height
    return Counted(judged, rows.filter(known & same & near).height, "rows")


def too_few_rows(facts: Facts, table: str, column: str, at_least: int) -> Counted:  # noqa: ARG001
    """Patients with a row, but fewer than so many."""
    counts = facts.rows(table).group_by("patient_id").len()
    return Counted(counts.height, counts.filter(pl.col("len") < at_least).height, "patients")


def too_many_rows(facts: Facts, table: str, column: str, per_year: float) -> Counted:  # noqa: ARG001
    """Patients with more rows per year than this, from their first to their last row (at least a year)."""
    day = pl.col(ROW_DATES[table])
    years = ((day.max() - day.min()).dt.total_days() / DAYS_PER_YEAR).clip(lower_bound=1)
    rates = facts.rows(table).group_by("patient_id").agg(rate=pl.len() / years)
    return Counted(rates.height, rates.filter(pl.col("rate") > per_year).height, "patients")


def gaps_over(facts: Facts, table: str, column: str, days: int) -> Counted:
    """Patients with more than so many days between two successive rows."""
    facts.filled(table, column)
    gaps = facts.rows(table).sort(column).group_by("patient_id").agg(
        gap=pl.col(column).diff().dt.total_days().max()
    ).drop_nulls("gap")  # fmt: skip
    return Counted(gaps.height, gaps.filter(pl.col("gap") > days).height, "patients")


def same_person(facts: Facts, table: str, column: str, dates_at_least: int) -> Counted:  # noqa: ARG001
    """Patients who are probably the same person as another patient_id; their ids stand in same_patient.csv."""
    pairs = same_patient_pairs(facts, dates_at_least)
    people = pl.concat([pairs["patient_id"], pairs["other_patient_id"]]).n_unique()
    note = f"{pairs.height} pairs of patient_id: same_patient.csv" if pairs.height else ""
    return Counted(facts.rows("patients").height, people, "patients", note)


def same_patient_pairs(facts: Facts, dates_at_least: int) -> pl.DataFrame:
    """Returns patient_id, other_patient_id, what they share: sex, birth_year, diagnosis_date, n_same_drug_starts (same
    molecule begun on the same day), n_same_visit_dates; sorted. Sex, year of birth and date of diagnosis are known and
    equal, and drug starts and visit dates in common are at least `dates_at_least` together."""
    people = facts.rows("patients").select("patient_id", *PERSON).drop_nulls()
    people = people.filter(pl.col("sex") != "unknown")
    pairs = people.join(people.rename({"patient_id": "other_patient_id"}), on=PERSON)
    pairs = pairs.filter(pl.col("patient_id") < pl.col("other_patient_id"))
    drugs = ["molecule", "start_date"]
    for table, what, name in (
        ("treatments", drugs, "n_same_drug_starts"),
        ("visits", ["visit_date"], "n_same_visit_dates"),
    ):
        if table not in facts.valid:
            pairs = pairs.with_columns(pl.lit(0, dtype=pl.Int64).alias(name))
            continue
        dated = facts.rows(table).select("patient_id", *what).unique()
        mine = pairs.select("patient_id", "other_patient_id").join(dated, on="patient_id")
        other = dated.rename({"patient_id": "other_patient_id"})
        both = mine.join(other, on=["other_patient_id", *what]).group_by("patient_id", "other_patient_id")
        counted = both.agg(pl.len().cast(pl.Int64).alias(name))
        pairs = pairs.join(counted, on=["patient_id", "other_patient_id"], how="left")
    pairs = pairs.with_columns(pl.col("n_same_drug_starts", "n_same_visit_dates").fill_null(0))
    enough = pl.col("n_same_drug_starts") + pl.col("n_same_visit_dates") >= dates_at_least
    return pairs.filter(enough).select(*PAIRS).sort("patient_id", "other_patient_id")


def _successive(facts: Facts, table: str, column: str) -> pl.DataFrame:
    """Each filled value beside the patient's last filled one before, and how many days lie between them."""
    day = ROW_DATES[table]
    rows = facts.rows(table).select("patient_id", day, value=column).drop_nulls("value")
    same = pl.col("patient_id") == pl.col("patient_id").shift(1)
    rows = rows.sort("patient_id", day).with_columns(
        before=pl.when(same).then(pl.col("value").shift(1)),
        days=pl.when(same).then(pl.col(day).diff().dt.total_days()),
    )
    return rows.drop_nulls("before")

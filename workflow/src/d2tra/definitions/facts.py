"""What is known of a site's patients, laid out for the criteria; and looking back from a date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from d2tra.codelists import BTS_KINDS
from d2tra.config import Closed, Evidence, Policy, Study, parse
from d2tra.errors import StudyError, nearest

if TYPE_CHECKING:
    from d2tra.definitions.leaf import Leaf

FAR_PAST, FAR_FUTURE = dt.date(1, 1, 1), dt.date(9999, 12, 31)
KEY = ["patient_id", "evaluation_date"]
VISIT = ["patient_id", "visit_date"]
STRIDE = 2**26  # more days than there are between FAR_PAST and FAR_FUTURE


class Choices(Closed):
    """What a study decides for the labels; the defaults are those of the study file."""

    data_cut_date: dt.date | None = None
    if_criterion_3_unrecorded: Policy = "unknown"
    severity_score: tuple[str, ...] = tuple(Study.model_fields["severity_score"].default)
    evidence: Evidence = "all"

    @property
    def severity_bands(self) -> list[str]:
        """The columns of scores whose first known one is the severity."""
        return [f"{score}_band" for score in self.severity_score]

    @classmethod
    def of(cls, study: Study | Mapping[str, Any] | None) -> Choices:
        """Returns the choices of a study, of a mapping with some of a study's keys, or the defaults.

        Raises StudyError for a key that no study has, and for a value that is not allowed.
        """
        stated = study.model_dump() if isinstance(study, Study) else dict(study or {})
        unknown = [key for key in stated if key not in Study.model_fields]
        if unknown:
            known = ", ".join(cls.model_fields)
            raise StudyError(
                f"study: unknown key {unknown[0]!r}{nearest(unknown[0], Study.model_fields) or '.'}"
                f" The labels use: {known}."
            )
        return parse(cls, {key: stated[key] for key in cls.model_fields if key in stated}, "study")


@dataclass(frozen=True)
class Facts:
    """One site's patients and records up to the study's cut, every patient_id a number: the place in `names` (sorted;
    comparing numbers is what makes a registry's labels fast); `named` gives the ids back. `courses` and `glucocorticoids` are None where the
    extract has no treatments: then nothing is known of any drug.

    patients: patient_id, disease, csdmard_contraindicated, diagnosis_date · visits: the canonical columns, the scores and bands,
    severity (band of the first available of the study's severity scores), acute_phase_suppressed (Boolean, null without
    treatments) · courses: as `trace_courses` gives them, the outcome being that of the end (by all that is recorded) ·
    glucocorticoids: patient_id, molecule, start_date, stop_date (null = open), dose_mg (prednisolone equivalent per
    day, null = not recorded) · imaging: canonical, value as Float64 · treatments, diagnoses: canonical (None: no such
    table) · rules: changes to config/exposure.yaml.
    """

    patients: pl.DataFrame
    visits: pl.DataFrame
    courses: pl.DataFrame | None
    glucocorticoids: pl.DataFrame | None
    imaging: pl.DataFrame
    treatments: pl.DataFrame | None
    diagnoses: pl.DataFrame | None
    records_glucocorticoids: bool
    choices: Choices
    names: pl.Series
    rules: Mapping[str, Any] | None = None

    def named(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the rows with the patients' own ids (String) in the place of their numbers."""
        return rows.with_columns(patient_id=self.names.gather(rows["patient_id"]))

    @cached_property
    def dates(self) -> pl.DataFrame:
        """Every patient × evaluation date (the visits up to the cut), sorted, with `visit`: its row in `visits`."""
        row = pl.int_range(pl.len(), dtype=pl.UInt32)
        return self.visits.select("patient_id", evaluation_date="visit_date", visit=row)

    @cached_property
    def index_dates(self) -> pl.DataFrame:
        """The last of the `dates` of every patient who has one."""
        return self.dates.filter(self.is_index)

    @cached_property
    def is_index(self) -> pl.Series:
        """Whether a row of `dates` is its patient's last (Boolean)."""
        patient = self.dates["patient_id"]
        return (patient != patient.shift(-1)).fill_null(True)

    @cached_property
    def judged(self) -> dict[str, tuple[pl.Series, pl.Series]]:
        """Key of a criterion → at which of `dates` it has been asked, and its verdicts there (null elsewhere)."""
        return {}

    def ask(self, leaf: Leaf, where: pl.Series) -> pl.Series:
        """Returns the verdicts of a criterion at `dates` (Boolean, null = unknown), asked at least `where`, nowhere twice."""
        if leaf.key not in self.judged:
            n = self.dates.height
            unknown = pl.repeat(None, n, dtype=pl.Boolean, eager=True)
            self.judged[leaf.key] = pl.repeat(False, n, eager=True), unknown
        asked, met = self.judged[leaf.key]
        new = where & ~asked
        if new.all():
            met = leaf.judge(self, self.dates)["met"]
        elif new.any():
            met = met.scatter(new.arg_true(), leaf.judge(self, self.dates.filter(new))["met"])
        self.judged[leaf.key] = asked | new, met
        return met

    @cached_property
    def bts_courses(self) -> pl.DataFrame:
        """The b/tsDMARD courses."""
        assert self.courses is not None, "ask for courses only where the extract has treatments"
        return self.courses.filter(pl.col("kind").is_in(BTS_KINDS))


def numbered(rows: pl.DataFrame, names: pl.Series) -> pl.DataFrame:
    """Returns the rows of known patients, each called by its place in `names` (UInt32), sorted by it.

    Looked up once per run of rows of one patient: the ids of millions of sorted rows are compared, not hashed.
    """
    numbers = pl.DataFrame({"patient_id": names}).with_row_index("number")
    starts = is_first_of_patient(rows)
    runs = rows.select("patient_id").filter(starts)
    if runs["patient_id"].equals(names):  # as of every table in which everybody is
        number = numbers["number"]
    else:
        number = runs.join(numbers, on="patient_id", how="left", maintain_order="left")["number"]
    known = rows.with_columns(patient_id=number.gather(starts.cum_sum() - 1))
    if number.null_count():
        known = known.drop_nulls("patient_id")
    return known if known["patient_id"].is_sorted() else known.sort("patient_id", maintain_order=True)


def is_first_of_patient(rows: pl.DataFrame) -> pl.Series:
    """Returns whether a row is its patient's first (Boolean); the rows of a patient stand together."""
    patient = rows["patient_id"]
    return (patient != patient.shift()).fill_null(True)


def first_of_patient(rows: pl.DataFrame) -> pl.DataFrame:
    """Returns each patient's first row; the rows of a patient stand together."""
    return rows.filter(is_first_of_patient(rows))


def of_patient(dates: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Returns `dates` with the columns of each patient's row of `known` (patients by number, at most one row each); null
    where it has none. A left join that looks up by place."""
    n = 1 + max(rows.select(pl.col("patient_id").max().fill_null(0)).item() for rows in (dates, known))
    rows = pl.int_range(known.height, dtype=pl.UInt32, eager=True)
    place = pl.repeat(None, n, dtype=pl.UInt32, eager=True).scatter(known["patient_id"], rows)
    everyone = known.drop("patient_id").select(pl.all().gather(place))
    return dates.hstack(everyone.select(pl.all().gather(dates["patient_id"])))


def visit_before(facts: Facts, dates: pl.DataFrame, looked_at: pl.Series, nth: int = 0) -> pl.Series:
    """Returns, for each of `dates`, the row in `facts.visits` of the patient's last visit up to it that is `looked_at`
    (Boolean, of each visit); `nth`: of the one so many before that. Null where there are fewer."""
    last = pl.select(pl.when(looked_at).then(pl.int_range(len(looked_at), dtype=pl.UInt32)).forward_fill())
    row = last.to_series().gather(dates["visit"])
    for _ in range(nth):
        row = last.to_series().shift().gather(row)
    own = facts.visits["patient_id"].gather(row) == dates["patient_id"]
    return pl.select(pl.when(own).then(row)).to_series()


def latest_visit(
    facts: Facts,
    dates: pl.DataFrame,
    looked_at: pl.Expr,
    within_days: int | None = None,
    day: str = "visit_date",
    **shown: pl.Expr,
) -> pl.DataFrame:
    """Returns `dates` with the patient's last visit in [t − within_days, t] that is `looked_at`: its date, called `day`, and
    what it has `shown`; null where there is no such visit. As `latest` of visits, which are in order already."""
    row = visit_before(facts, dates, facts.visits.select(looked_at).to_series())
    columns = dict.fromkeys(
        ["visit_date", *(name for each in shown.values() for name in each.meta.root_names())]
    )
    visit = facts.visits.select(pl.col(columns).gather(row)).with_columns(
        evaluation_date=dates["evaluation_date"]
    )
    counts = pl.col("visit_date").is_not_null()
    if within_days is not None:
        counts &= days_between(pl.col("visit_date"), pl.col("evaluation_date")) <= within_days
    found = {day: pl.col("visit_date"), **shown}
    return dates.hstack(visit.select(pl.when(counts).then(each).alias(name) for name, each in found.items()))


def latest(
    dates: pl.DataFrame,
    records: pl.DataFrame,
    day: str,
    within_days: int | None = None,
    until: str = "evaluation_date",
) -> pl.DataFrame:
    """Returns `dates` with the columns of the patient's last record in [until − within_days, until].

    `within_days` None: however long ago. Both ends count. Null where there is no such record. `dates` must be sorted
    by patient and `until`, and keeps its rows and their order; of several records of one day the last one counts.
    """
    if dates.schema["patient_id"] == pl.String:  # ids, not yet numbers
        ids = dates["patient_id"]
        names = ids.unique().sort()
        found = latest(numbered(dates, names), numbered(records, names), day, within_days, until)
        return found.with_columns(ids)
    # One number for patient and day makes this a single walk through two sorted columns.
    known = (
        records.filter(pl.col(day).is_not_null())
        .with_columns(key=patient_and_day(pl.col(day)))
        .rename({"patient_id": "found"})
        .sort("key", maintain_order=True)
    )
    searched = dates["patient_id"].is_in(known["found"].implode())  # the others need no search
    asked = dates.filter(searched).select("patient_id", key=patient_and_day(pl.col(until)), asked_day=until)
    found = asked.join_asof(known, on="key", check_sortedness=False)
    counts = pl.col("found") == pl.col("patient_id")
    if within_days is not None:
        counts &= days_between(pl.col(day), pl.col("asked_day")) <= within_days
    columns = [column for column in records.columns if column != "patient_id"]
    shown = found.select(pl.when(counts).then(pl.col(column)).alias(column) for column in columns)
    row = pl.when(searched).then(searched.cum_sum() - 1)
    return dates.hstack(shown.select(pl.all().gather(pl.select(row).to_series())))


def patient_and_day(day: pl.Expr) -> pl.Expr:
    """Returns one number that orders by patient (by number), then day; no day comes before every day."""
    number = day.to_physical().cast(pl.Int64).fill_null(-(STRIDE // 2))
    return number + pl.col("patient_id").cast(pl.Int64) * STRIDE


def days_between(earlier: pl.Expr, later: pl.Expr) -> pl.Expr:
    """Returns the whole days from the earlier to the later date (Int64)."""
    return (later.cast(pl.Int32) - earlier.cast(pl.Int32)).cast(pl.Int64)

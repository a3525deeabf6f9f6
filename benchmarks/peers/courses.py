"""Drug courses from prescription rows (specification of the labels 2.2) in pandas.

Run in a folder with valid/treatments.parquet; writes courses.parquet, one row per course that starts by the cut.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

CUT, FOREVER = pd.Timestamp("2023-12-31"), pd.Timestamp("9999-12-31").as_unit("ms")
DAY = pd.Timedelta(days=1).as_unit("ms")
INEFFICACY = ["primary_inefficacy", "secondary_inefficacy", "inefficacy"]
WORDS = ["patient_id", "molecule", "kind", "mechanism", "stop_reason"]
DRUG = ["molecule", "kind", "mechanism", "suppresses_crp"]
WRITTEN = [
    "patient_id", *DRUG, "start_date", "stop_date", "stop_reason", "outcome", "failure_type", "n_records",
    "course_stop_date", "course_stop_reason", "has_imputed_stop", "last_recorded_date", "presumed_from",
]  # fmt: skip


def read() -> pd.DataFrame:
    """Returns the rows of drugs that start by the cut, words as categories, with the stop that each has or is given."""
    columns = [*WORDS, "suppresses_crp", "start_date", "stop_date", "source_row"]
    rows = pq.read_table("valid/treatments.parquet", columns=columns, read_dictionary=WORDS)
    rows = rows.to_pandas(date_as_object=False, self_destruct=True)
    rows = rows[rows["kind"].notna() & (rows["start_date"] <= CUT)].copy()
    rows["patient"] = rows["patient_id"].cat.codes
    reason, start, stop = rows["stop_reason"], rows["start_date"], rows["stop_date"]
    rows["untold"] = reason.isna() | (reason == "unknown")
    # given in cycles: without a recorded stop it acts for 9 months
    short = (rows["untold"] | (reason == "other")) & (stop - start < 274 * DAY)
    rows["is_imputed"] = (rows["molecule"] == "rituximab") & (stop.isna() | short)
    rows["ends"] = stop.fillna(FOREVER).mask(rows["is_imputed"], start + 274 * DAY)
    rows["last_recorded_date"] = stop.fillna(start)
    return rows


def merge_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per course: rows of one molecule merge while the next begins soon enough after the latest stop."""
    rows["history"] = rows["patient"].astype("int64") * 256 + rows["molecule"].cat.codes
    rows = rows.sort_values(["history", "start_date", "source_row"], ignore_index=True)
    reached = (
        rows.groupby("history", sort=False)["ends"].cummax().groupby(rows["history"], sort=False).shift()
    )
    max_gap = pd.Series(np.where(rows["molecule"] == "rituximab", 274, 90), index=rows.index) * DAY
    rows["course"] = (reached.isna() | (rows["start_date"] - reached > max_gap)).cumsum()
    rows["recorded_end"] = rows["ends"].mask(rows["is_imputed"])
    spans = rows.groupby("course").agg(
        start_date=("start_date", "first"),
        last_start_date=("start_date", "last"),
        last_recorded_date=("last_recorded_date", "max"),
        recorded_end=("recorded_end", "max"),
        n_records=("start_date", "size"),
    )
    order = ["course", "ends", "untold", "source_row"]
    lasts = (
        rows.sort_values(order, ascending=[True, False, True, True])
        .drop_duplicates("course")
        .set_index("course")
    )
    courses = lasts[["patient", "patient_id", *DRUG, "ends"]].join(spans)
    courses["course_stop_reason"] = lasts["stop_reason"]
    courses["has_imputed_stop"] = ~(courses["recorded_end"] == courses["ends"])
    return courses


def end_courses(courses: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Returns the stops (NaT: none); the first later row of a b/tsDMARD ends a course whose stop is imputed."""
    imputed = courses.loc[courses["has_imputed_stop"], ["patient", "last_start_date"]].reset_index()
    later = rows.loc[rows["kind"].isin(["bdmard", "tsdmard"]), ["patient", "start_date"]]
    found = pd.merge_asof(
        imputed.sort_values("last_start_date"),
        later.sort_values("start_date"),
        left_on="last_start_date",
        right_on="start_date",
        by="patient",
        direction="forward",
        allow_exact_matches=False,
    ).set_index("course")
    day_before = (found["start_date"] - DAY).reindex(courses.index)
    ends = courses["ends"].mask(day_before < courses["ends"], day_before)
    return ends.mask(ends == FOREVER)


def find_presumed(courses: pd.DataFrame) -> pd.Series:
    """Returns, by course, the start of the b/tsDMARD that tells of a failure where the stop has no reason."""
    reason = courses["course_stop_reason"]
    untold = courses[
        courses["course_stop_date"].notna() & (reason.isna() | (reason == "unknown"))
    ].reset_index()
    others = courses.loc[courses["is_bts"], ["patient", "molecule", "start_date"]]
    columns = ["course", "patient", "molecule", "kind", "is_bts", "start_date", "course_stop_date"]
    pairs = untold[columns].merge(others, on="patient", suffixes=("", "_of_other"))
    begun = pairs["start_date_of_other"]
    switch = pairs["is_bts"] & (pairs["molecule"] != pairs["molecule_of_other"])
    switch &= (begun - pairs["course_stop_date"]).between(-30 * DAY, 180 * DAY)
    step_up = (pairs["kind"] == "csdmard") & (begun > pairs["start_date"])
    return pairs[switch | step_up].groupby("course")["start_date_of_other"].min()


def judge(courses: pd.DataFrame) -> pd.DataFrame:
    """Returns the courses with stop, outcome and failure_type as they stand at the cut."""
    reason, molecule = courses["course_stop_reason"], courses["molecule"]
    n_days = courses["course_stop_date"] - courses["start_date"]
    stopped, inefficacy = courses["course_stop_date"] <= CUT, reason.isin(INEFFICACY)
    outcomes = {
        "ongoing": ~stopped,
        "too_short": inefficacy & courses["is_bts"] & (molecule != "rituximab") & (n_days < 84 * DAY),
        "failed_inefficacy": inefficacy,
        "failed_intolerance": reason.isin(["adverse_event", "intolerance"]),
        "stopped_other": reason.notna() & (reason != "unknown"),
        "presumed_failed": courses["presumed_from"] <= CUT,
    }
    otherwise = np.where(courses["has_imputed_stop"], "stopped_other", "unknown")
    courses["outcome"] = np.select(list(outcomes.values()), list(outcomes), otherwise)
    primary = (reason == "primary_inefficacy") | ((reason == "inefficacy") & (n_days <= 183 * DAY))
    failure_type = pd.Series(np.where(primary, "primary", "secondary"), index=courses.index)
    courses["failure_type"] = failure_type.where(courses["outcome"] == "failed_inefficacy")
    courses["stop_date"] = courses["course_stop_date"].where(stopped)
    courses["stop_reason"] = reason.where(stopped)
    return courses


def main() -> None:
    rows = read()
    courses = merge_rows(rows)
    courses["is_bts"] = courses["kind"].isin(["bdmard", "tsdmard"])
    courses["course_stop_date"] = end_courses(courses, rows)
    courses["presumed_from"] = find_presumed(courses)
    judge(courses)[WRITTEN].to_parquet("courses.parquet", index=False, compression="zstd")


if __name__ == "__main__":
    pa.set_cpu_count(2)
    main()

"""Difficult-to-treat RA, EULAR 2021 (specification of the labels 2.6), in pandas: every visit judged.

Run in a folder with valid/ (patients, visits, treatments) and the courses and scores of the two other scripts; writes
labels.parquet, one row per patient with RA. There is no imaging and no laboratory table in these data.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

CUT, FOREVER = pd.Timestamp("2023-12-31"), pd.Timestamp("9999-12-31").as_unit("ms")
BEFORE_ALL = pd.Timestamp("0001-01-01").as_unit("ms")
DAY = pd.Timedelta(days=1).as_unit("ms")
BTS = ["bdmard", "tsdmard"]
REASONS_OF_FAILURE = [
    "primary_inefficacy",
    "secondary_inefficacy",
    "inefficacy",
    "adverse_event",
    "intolerance",
]
SCORES = ["das28_esr", "das28_crp", "cdai", "sdai"]
BANDS = [f"{score}_band" for score in SCORES]
QUALITY = {"haq_di_used": 1.0, "pain_mm": 40, "fatigue_mm": 40}  # above
FLAGS = ["problematic_to_patient", "problematic_to_rheumatologist"]


def read(path: str, columns: list[str], words: list[str], patients: pd.Index) -> pd.DataFrame:
    """Returns the columns of known patients, each called by the place in `patients`, words as categories."""
    table = pq.read_table(path, columns=["patient_id", *columns], read_dictionary=["patient_id", *words])
    rows = table.to_pandas(date_as_object=False, self_destruct=True)
    ids = rows.pop("patient_id").cat
    rows.insert(0, "patient", patients.get_indexer(ids.categories)[ids.codes].astype("int32"))
    return rows[rows["patient"] >= 0]


def rounded(values: pd.Series) -> pd.Series:
    """Returns the values to 4 decimals, half away from zero: a millionth of the last decimal more (none is negative)."""
    return (values + 1e-10).round(4)


def date_failures(courses: pd.DataFrame) -> pd.DataFrame:
    """Returns the b/tsDMARD courses with the days from which they count as failed, and as possibly failed."""
    bts = courses[courses["kind"].isin(BTS)].copy()
    outcome, stop = bts["outcome"], bts["course_stop_date"]
    presumed = outcome == "presumed_failed"
    bts["failed_on"] = stop.where(outcome.isin(["failed_inefficacy", "failed_intolerance"]))
    bts["failed_on"] = bts["failed_on"].mask(presumed, np.maximum(stop, bts["presumed_from"]))
    perhaps = outcome.isin(["unknown", "too_short"]) | (presumed & ~bts["has_imputed_stop"])
    told = (outcome == "ongoing") & stop.isna() & bts["course_stop_reason"].isin(REASONS_OF_FAILURE)
    bts["possible_on"] = bts["failed_on"].mask(perhaps, stop).mask(told, bts["start_date"])
    return bts


def second_date(bts: pd.DataFrame, column: str) -> pd.Series:
    """Returns, by patient, the day on which the second mechanism had failed, for those who have one."""
    known = bts.dropna(subset=column).sort_values(["patient", column])
    firsts = known.drop_duplicates(["patient", "mechanism"])
    return firsts[firsts.groupby("patient").cumcount() == 1].set_index("patient")[column]


def find_candidates(courses: pd.DataFrame, bts: pd.DataFrame, contraindicated: pd.Series) -> pd.DataFrame:
    """Returns, by patient, what criterion 1 hangs on: of those with two mechanisms possibly failed, as nobody else meets it."""
    candidates = second_date(bts, "possible_on").to_frame("second_possible")
    candidates["second_failed"] = second_date(bts, "failed_on")
    first_csdmard = courses[courses["kind"] == "csdmard"].groupby("patient")["start_date"].min()
    first_bts = bts.groupby("patient")["start_date"].min()
    both = pd.DataFrame({"csdmard": first_csdmard, "bts": first_bts})
    candidates["prepared_on"] = both["csdmard"].where(both["csdmard"] <= both["bts"])
    candidates["contraindicated"] = contraindicated
    return candidates


def is_suppressed(seen: pd.DataFrame, bts: pd.DataFrame) -> np.ndarray:
    """Returns whether a drug that suppresses the acute phase is taken at each visit."""
    taken = bts.loc[bts["suppresses_crp"], ["patient", "start_date", "course_stop_date"]]
    taken = taken.sort_values("start_date")
    taken["until"] = taken["course_stop_date"].fillna(FOREVER).groupby(taken["patient"]).cummax()
    asked = seen[["patient", "visit_date"]].reset_index().sort_values("visit_date")
    found = pd.merge_asof(
        asked,
        taken[["patient", "start_date", "until"]],
        left_on="visit_date",
        right_on="start_date",
        by="patient",
    )
    return (found["until"] > found["visit_date"]).set_axis(found["index"]).sort_index().to_numpy()


def see(visits: pd.DataFrame, scores: pd.DataFrame, bts: pd.DataFrame) -> pd.DataFrame:
    """Returns criteria 2a, 2b, q and 3 at each visit, each as of the latest visit of the past 365 days that tells of it."""
    seen = visits.merge(scores, on=["patient", "visit_date"], how="left")
    seen = seen.sort_values(["patient", "visit_date"], ignore_index=True)
    is_active = seen[BANDS].isin(["moderate", "high"]).any(axis=1)
    controlled = seen["cdai"].notna() | ~is_suppressed(seen, bts)
    crp, esr = seen["crp_mg_l"], seen["esr_mm_h"]
    inflamed = (rounded(crp) > 10) | (rounded(esr) > 28)
    above = [rounded(seen[name]) > limit for name, limit in QUALITY.items()]
    flags = seen[FLAGS]
    told = {
        "active": (
            is_active.astype("boolean").where(is_active | controlled),
            seen[SCORES].notna().any(axis=1),
        ),
        "signs": ((seen["sjc28"] >= 1) & inflamed, seen["sjc28"].notna() & (crp.notna() | esr.notna())),
        "quality": (above[0] | above[1] | above[2], seen[list(QUALITY)].notna().any(axis=1)),
        "problematic": ((flags == True).any(axis=1), flags.notna().any(axis=1)),  # noqa: E712
    }
    at = seen[["patient", "visit_date"]].copy()
    place = pd.Series(np.arange(len(seen), dtype="float64"))
    for name, (verdict, is_told) in told.items():
        last = place.where(is_told).groupby(seen["patient"]).ffill()
        where = last.fillna(0).astype("int64").to_numpy()
        known = last.notna() & (at["visit_date"] - at["visit_date"].to_numpy()[where] <= 365 * DAY)
        at[name] = pd.Series(verdict.astype("boolean").array[where]).where(known)
    return at


def steroid_spans(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns the spans of days of one total dose; short gaps of a molecule are bridged at the lower dose around them."""
    molecule = ["patient", "molecule"]
    rows = rows.sort_values([*molecule, "start_date", "stop_date"], ignore_index=True)
    by_molecule = [rows["patient"], rows["molecule"]]
    reached = (
        rows.groupby(molecule, observed=True)["stop_date"]
        .cummax()
        .groupby(by_molecule, observed=True)
        .shift()
    )
    is_gap = (rows["start_date"] - reached).between(2 * DAY, 15 * DAY)
    gaps = rows.loc[is_gap, molecule].assign(day_before=reached[is_gap], day_after=rows["start_date"][is_gap])
    gaps = gaps.rename_axis("gap").reset_index()
    open_rows = gaps.merge(rows, on=molecule)
    doses = {}
    for side in ("day_before", "day_after"):
        of_day = open_rows[
            (open_rows["start_date"] <= open_rows[side]) & (open_rows["stop_date"] >= open_rows[side])
        ]
        known = of_day.groupby("gap")["dose"].agg(["sum", "size", "count"])
        doses[side] = known["sum"].where(known["size"] == known["count"])
    gaps = gaps.set_index("gap")
    bridges = gaps.assign(
        start_date=gaps["day_before"] + DAY,
        stop_date=gaps["day_after"] - DAY,
        dose=pd.DataFrame(doses).min(axis=1, skipna=False),
    )
    covered = pd.concat([rows, bridges], ignore_index=True)
    covered["unknown"] = covered["dose"].isna().astype("int64")
    covered["mg"] = covered["dose"].fillna(0.0)
    starts = covered[["patient", "start_date", "mg", "unknown"]].rename(columns={"start_date": "first_day"})
    ended = covered[covered["stop_date"] < FOREVER]
    ends = ended[["patient"]].assign(
        first_day=ended["stop_date"] + DAY, mg=-ended["mg"], unknown=-ended["unknown"]
    )
    before = rows[["patient"]].drop_duplicates().assign(first_day=BEFORE_ALL, mg=0.0, unknown=0)
    changes = pd.concat([before, starts, ends]).groupby(["patient", "first_day"], as_index=False).sum()
    changes[["mg", "unknown"]] = changes.groupby("patient")[["mg", "unknown"]].cumsum()
    changes["last_day"] = (changes.groupby("patient")["first_day"].shift(-1) - DAY).fillna(FOREVER)
    return changes


def on_steroids(at: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Returns criterion 2c: no day of the past 90 was low; unknown where one is unclear; none recorded is no."""
    spans = steroid_spans(rows)
    not_high = spans[rounded(spans["mg"]) < 7.5].sort_values("first_day")
    taken = at["patient"].isin(rows["patient"])
    asked = at.loc[taken, ["patient", "visit_date"]].reset_index().sort_values("visit_date")

    def was(spans: pd.DataFrame) -> pd.Series:
        columns = spans[["patient", "first_day", "last_day"]]
        found = pd.merge_asof(asked, columns, left_on="visit_date", right_on="first_day", by="patient")
        recent = found["last_day"] >= found["visit_date"] - 90 * DAY
        return recent.set_axis(found["index"]).reindex(at.index, fill_value=False)

    low, unclear = was(not_high[not_high["unknown"] == 0]), was(not_high[not_high["unknown"] > 0])
    high = (taken & ~low).astype("boolean")
    return high.mask(high & unclear)


def main() -> None:
    patients = pd.read_parquet(
        "valid/patients.parquet", columns=["patient_id", "disease", "csdmard_contraindicated"]
    )
    patients = patients[patients["disease"] == "RA"].reset_index(drop=True)
    ids = pd.Index(patients["patient_id"])
    contraindicated = patients["csdmard_contraindicated"].astype("boolean").fillna(False)
    words = ["molecule", "kind", "mechanism", "outcome", "course_stop_reason"]
    dates = ["start_date", "course_stop_date", "presumed_from"]
    courses = read("courses.parquet", [*words, *dates, "has_imputed_stop", "suppresses_crp"], words, ids)
    bts = date_failures(courses)
    candidates = find_candidates(courses, bts, contraindicated)

    measured = ["visit_date", "sjc28", "crp_mg_l", "esr_mm_h", *QUALITY, *FLAGS]
    visits = read("valid/visits.parquet", measured, [], ids)
    visits = visits[visits["visit_date"] <= CUT]
    index_date = visits.groupby("patient")["visit_date"].max()
    visits = visits[visits["patient"].isin(candidates.index)]
    scores = read("scores.parquet", ["visit_date", *SCORES, *BANDS], BANDS, ids)
    at = see(visits, scores[scores["patient"].isin(candidates.index)], bts)

    columns = ["molecule", "start_date", "stop_date", "daily_dose_mg", "prednisolone_factor", "kind"]
    steroids = read("valid/treatments.parquet", columns, ["molecule", "kind"], ids)
    steroids = steroids[(steroids["kind"] == "glucocorticoid") & (steroids["start_date"] <= CUT)]
    steroids = steroids[steroids["patient"].isin(candidates.index)]
    dose = steroids["daily_dose_mg"] * steroids["prednisolone_factor"]
    steroids = steroids.assign(dose=dose, stop_date=steroids["stop_date"].fillna(FOREVER))
    at["steroids"] = on_steroids(at, steroids.drop(columns=["kind", "daily_dose_mg", "prednisolone_factor"]))

    at = at.join(candidates, on="patient")
    day = at["visit_date"]
    failed = pd.Series(day >= at["second_failed"], dtype="boolean")
    failed = failed.mask(~failed & (day >= at["second_possible"]))
    prepared = (at["contraindicated"].astype("bool") | (day >= at["prepared_on"])).astype("boolean")
    prepared = prepared.where(prepared)  # never no: early records are incomplete
    felt = ~at["active"] & at["quality"]
    met = failed & prepared & (at["active"] | at["signs"] | at["steroids"] | felt) & at["problematic"]

    labels = pd.DataFrame(
        {"patient_id": patients["patient_id"], "index_date": index_date}, index=patients.index
    )
    at_index = met.set_axis(at["patient"])[~at["patient"].duplicated(keep="last").to_numpy()]
    verdict = pd.Series(
        np.where(at_index.isna(), "not_assessable", np.where(at_index.fillna(False), "met", "not_met"))
    )
    labels["status"] = verdict.set_axis(at_index.index).reindex(labels.index).fillna("not_met")
    labels["status"] = labels["status"].mask(labels["index_date"].isna(), "not_assessable")
    labels["first_met_date"] = at[met.fillna(False)].groupby("patient")["visit_date"].min()
    counted = bts[bts["failed_on"] <= bts["patient"].map(index_date)]
    for name, column in {"n_failed_mechanisms": "mechanism", "n_failed_drugs": "molecule"}.items():
        n = counted.drop_duplicates(["patient", column]).groupby("patient").size()
        labels[name] = n.reindex(labels.index).fillna(0).astype("Int64").where(labels["index_date"].notna())
    labels.to_parquet("labels.parquet", index=False, compression="zstd")


if __name__ == "__main__":
    pa.set_cpu_count(2)
    main()

"""What others found against what a site holds: the ends of a range belong to it, and not known is no verdict."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from d2tra.config import Study, expectations_path, load_yaml, parse
from d2tra.errors import StudyError
from d2tra.estimates import proportion
from d2tra.expectations import Expectations, compare_with_expectations, verdict
from d2tra.extract.schemas import complete
from d2tra.scores import score_visits

N = 20
INDEX = dt.date(2020, 6, 1)
STATUSES = ["met", "not_met", "not_assessable"]


def study(**changed: object) -> Study:
    cohorts = [{"name": "full"}]
    stated = {"title": "t", "sites": ["here"], "cohorts": cohorts, "definitions": ["eular_2021"], "seed": 1}
    return parse(Study, stated | changed, "study", name="study")


def tables(n_women: int = 13, statuses: list[str] | None = None) -> dict[str, pl.DataFrame]:
    """Returns 20 patients with RA, 13 of them women, and one with PsA; nobody has a treatment, a lab or a diagnosis."""
    ids = [f"P{i:02}" for i in range(N + 1)]
    patients = {"patient_id": ids, "disease": ["RA"] * N + ["PsA"], "sex": ["female"] * n_women + ["male"] * (N - n_women) + ["female"],
                "birth_year": [1950 + i for i in range(N)] + [1900], "diagnosis_date": [dt.date(2000, 1, 1)] * N + [None]}  # fmt: skip
    valid = {"patients": complete(pl.DataFrame(patients), "patients")}
    valid["visits"] = complete(pl.DataFrame({"patient_id": ids, "visit_date": [INDEX] * (N + 1)}), "visits")
    label = {"definition": "eular_2021", "index_date": INDEX, "hangs_on_presumed": False}
    labels = pl.DataFrame({"patient_id": ids, "status": (statuses or STATUSES[:1] * N) + ["not_met"]}).with_columns(**{k: pl.lit(v) for k, v in label.items()})  # fmt: skip
    courses = pl.DataFrame(schema={"patient_id": pl.String, "molecule": pl.String, "kind": pl.String, "mechanism": pl.String, "start_date": pl.Date, "stop_date": pl.Date})  # fmt: skip
    counts = labels.select("patient_id", severity=pl.lit(None, dtype=pl.String), n_bts_tried=pl.lit(0), n_csdmards_before_bts=pl.lit(0), methotrexate_before_bts=pl.lit(None, dtype=pl.Boolean))  # fmt: skip
    judged = {
        "courses": courses,
        "scores": score_visits(valid["visits"]),
        "labels": labels,
        "audit_counts": counts,
    }
    return valid | judged


def found(folder: Path, text: str, **given: object) -> dict[str, object]:
    """Returns the row of one expectation, written as a study's own file."""
    file = folder / "own.yaml"
    file.write_text(f"expectations:\n  - {{name: one, says: One, source: choice, {text}}}\n")
    return compare_with_expectations(tables(**given), study(expectations=str(file)), "here").to_dicts()[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "said"),
    [(64.99, "below"), (65.0, "within"), (80.0, "within"), (80.01, "above"), (None, "not_known")],
)
def test_the_ends_of_a_range_belong_to_it(number: float | None, said: str) -> None:
    assert verdict(number, 65, 80) == said


def test_a_share_is_counted_in_the_patients_with_ra_with_its_wilson_interval(tmp_path: Path) -> None:
    row = found(tmp_path, "count: {sex: female}, expected: [65, 80]")
    assert (row["n"], row["n_known"], row["found"], row["verdict"]) == (13, 20, 65.0, "within")
    interval = proportion(13, 20)
    assert (row["ci_low"], row["ci_high"]) == (100 * interval.ci_low, 100 * interval.ci_high)  # type: ignore[operator]


def test_a_share_on_the_end_of_the_range_is_within_it(tmp_path: Path) -> None:
    row = found(tmp_path, "count: {sex: female}, expected: [50, 55]", n_women=11)
    assert (row["found"], row["verdict"]) == (55.0, "within")


def test_outside_the_range_says_whether_chance_may_explain_it(tmp_path: Path) -> None:
    near = found(tmp_path, "count: {sex: female}, expected: [65, 80]", n_women=12)
    assert (near["verdict"], near["note"]) == (
        "below",
        "the interval reaches the range: chance may explain it",
    )
    far = found(tmp_path, "count: {sex: female}, expected: [65, 80]", n_women=2)
    assert (far["verdict"], far["note"]) == ("below", None)
    assert found(tmp_path, "count: {sex: female}, expected: [65, 80]", n_women=20)["verdict"] == "above"


def test_a_number_is_its_median_with_its_quartiles(tmp_path: Path) -> None:
    # born 1950 to 1969, diagnosed in 2000
    row = found(tmp_path, "median: age_at_onset, unit: years, expected: [40, 40.5]")
    assert (row["found"], row["ci_low"], row["ci_high"], row["verdict"]) == (40.5, 35.75, 45.25, "within")


def test_what_is_not_assessable_is_left_out_and_counted_never_taken_for_no(tmp_path: Path) -> None:
    statuses = ["met"] * 4 + ["not_met"] * 12 + ["not_assessable"] * 4
    row = found(tmp_path, "count: {outcome: met}, expected: [5, 25]", statuses=statuses)
    assert (row["n"], row["n_known"], row["n_not_known"], row["found"]) == (4, 16, 4, 25.0)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("count: {rf_positive: true}, expected: [60, 80]", "known of no patient"),
        (
            "count: {sex: female}, among: {n_bts_tried: {at_least: 1}}, expected: [60, 80]",
            "known of no patient",
        ),
        ("count: {becede_2019: met}, expected: [5, 20]", "becede_2019 is no definition of this study"),
    ],
)
def test_what_nobody_tells_of_is_not_known(tmp_path: Path, text: str, note: str) -> None:
    row = found(tmp_path, text)
    assert (row["verdict"], row["note"], row["found"]) == ("not_known", note, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("count: {rf_positiv: true}, expected: [60, 80]", "no characteristic or definition 'rf_positiv', did you mean 'rf_positive'?"),
        ("median: sex, unit: years, expected: [60, 80]", "'sex' is no number"),
        ("expected: [60, 80]", "say one of: count, median"),
        ("count: {sex: female}, expected: [80, 60]", "the lower end of `expected` stands first"),
    ],
)  # fmt: skip
def test_a_slip_is_said_with_what_was_probably_meant(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(StudyError) as slip:
        found(tmp_path, text)
    assert said in str(slip.value)


def test_the_shipped_expectations_can_be_judged_and_each_names_its_source() -> None:
    shipped = parse(Expectations, load_yaml(expectations_path(study())), "shipped").expectations
    rows = compare_with_expectations(tables(), study(), "here")
    assert rows["expectation"].to_list() == [one.name for one in shipped]
    assert all(one.source for one in shipped)
    ends = {one.name: one.expected for one in shipped}
    assert (ends["female"], ends["rf_positive"], ends["difficult_to_treat"]) == ((65, 80), (60, 80), (5, 20))


def test_a_site_without_ra_is_known_of_nothing() -> None:
    other = {
        name: rows.filter(pl.col("patient_id") == "P20")
        for name, rows in tables().items()
        if name != "courses"
    }
    rows = compare_with_expectations(other | {"courses": tables()["courses"]}, study(), "here")
    assert set(rows["verdict"]) == {"not_known"}

"""What must hold of the numbers of any finished study, whatever the patients: checked on the small study."""

import math

import polars as pl
import pytest

from d2tra import io
from d2tra.config import PROJECT
from d2tra.definitions import load_definition
from d2tra.disclosure import load_profile
from d2tra.estimates import proportion
from d2tra.tables import read_tables
from small_study import COHORTS, DEFINITIONS, PROFILE_PLACES, Run, read_table

pytestmark = pytest.mark.slow

COUNTED = pl.col("kind").is_in(["count", "proportion"])
RELEASED = sorted(name for name, place in PROFILE_PLACES.items() if place.startswith("release/"))


def cells(run: Run, cohort: str) -> dict[str, pl.DataFrame]:
    """Returns the private numbers of every table of a cohort."""
    return {table.name: table.cells for table in read_tables(run.cohort(cohort) / "tables")}


def released_files(run: Run, profile: str, cohort: str) -> dict[str, pl.DataFrame]:
    """Returns every csv that the profile hands on, of tables and of figures."""
    folder = run.results / PROFILE_PLACES[profile] / cohort
    return {
        path.relative_to(folder).as_posix(): pl.read_csv(path, infer_schema_length=None)
        for path in folder.rglob("*.csv")
    }


# The extract


def test_every_row_read_is_valid_set_aside_or_a_duplicate(small: Run) -> None:
    counts = io.read(small.site / "accounting.csv")
    rows = {table: len(read_table(small.folder / "extract" / f"{table}.csv")) for table in counts["table"]}
    assert dict(counts.select("table", "n_read").iter_rows()) == rows
    accounted = pl.col("n_valid") + pl.col("n_quarantined") + pl.col("n_duplicate")
    assert counts.filter(accounted != pl.col("n_read")).is_empty()
    assert counts.filter(pl.col("n_orphaned") > pl.col("n_quarantined")).is_empty()


def test_the_planted_faults_are_those_that_were_set_aside(small: Run) -> None:
    found = io.read(small.site / "quarantine.csv").select("table", "column", "severity").rows()
    assert sorted(found) == [
        ("diagnoses", "patient_id", "row"),
        ("visits", "tjc28", "cell"),
        ("visits", "visit_date", "row"),
    ]


@pytest.mark.parametrize("table", ["patients", "visits", "treatments", "labs", "diagnoses"])
def test_valid_rows_are_as_many_as_accounted_and_none_was_set_aside(small: Run, table: str) -> None:
    valid = io.read(small.site / "valid" / f"{table}.parquet")
    counts = io.read(small.site / "accounting.csv").row(by_predicate=pl.col("table") == table, named=True)
    set_aside = io.read(small.site / "quarantine.csv").filter(table=table, severity="row")
    assert valid.height == counts["n_valid"]
    assert set_aside["source_row"].n_unique() == counts["n_quarantined"] - counts["n_orphaned"]
    assert not set(valid["source_row"]) & set(set_aside["source_row"])
    assert valid["source_row"].is_unique().all()


# Patients, scores, courses, labels


def test_every_visit_has_one_row_of_scores(small: Run) -> None:
    visits = io.read(small.site / "valid" / "visits.parquet")
    scores = io.read(small.site / "scores.parquet")
    assert sorted(scores.select("patient_id", "visit_date").rows()) == sorted(
        visits.select("patient_id", "visit_date").rows()
    )


def test_a_course_stops_after_it_starts_or_is_ongoing(small: Run) -> None:
    courses = io.read(small.site / "courses.parquet")
    assert courses.filter(pl.col("stop_date") < pl.col("start_date")).is_empty()
    assert courses.filter((pl.col("outcome") == "ongoing") != pl.col("stop_date").is_null()).is_empty()
    assert courses.filter(
        (pl.col("outcome") == "failed_inefficacy") != pl.col("failure_type").is_not_null()
    ).is_empty()
    assert courses["n_records"].sum() <= io.read(small.site / "valid" / "treatments.parquet").height


def test_every_patient_of_the_disease_is_judged_once_by_each_definition(small: Run) -> None:
    patients = io.read(small.site / "valid" / "patients.parquet").filter(disease="RA")
    labels = io.read(small.site / "labels.parquet")
    expected = patients.select("patient_id").join(pl.DataFrame({"definition": DEFINITIONS}), how="cross")
    assert sorted(labels.select("patient_id", "definition").rows()) == sorted(expected.rows())
    assert set(labels["status"]) == {"met", "not_met", "not_assessable"}


def test_a_patient_is_judged_at_the_last_visit(small: Run) -> None:
    labels = io.read(small.site / "labels.parquet")
    last = (
        io.read(small.site / "valid" / "visits.parquet")
        .group_by("patient_id")
        .agg(pl.col("visit_date").max())
    )
    assert labels.join(last, on="patient_id").filter(pl.col("index_date") != pl.col("visit_date")).is_empty()


def test_who_meets_a_definition_met_it_first_by_the_index_date(small: Run) -> None:
    labels = io.read(small.site / "labels.parquet")
    met = labels.filter(status="met")
    assert met.height
    assert met.filter(~(pl.col("first_met_date") <= pl.col("index_date")).fill_null(False)).is_empty()
    assert labels.filter(pl.col("n_failures_presumed") > pl.col("n_failed_drugs")).is_empty()
    assert labels.filter(pl.col("n_failed_mechanisms") > pl.col("n_failed_drugs")).is_empty()


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_every_label_follows_from_its_evidence(small: Run, definition: str) -> None:
    """Met: every criterion is. Not met: one is not. Not assessable: none is not, and one is unknown."""
    top = [criterion.id for criterion in load_definition(definition).criteria]
    evidence = io.read(small.site / "evidence.parquet").filter(definition=definition)
    assert evidence.filter(pl.col("reason").fill_null("") == "").is_empty()
    judged = (
        evidence.filter(pl.col("criterion").is_in(top))
        .group_by("patient_id")
        .agg(n=pl.len(), n_met=pl.col("met").sum(), n_not=(~pl.col("met")).sum())
    )
    status = (
        pl.when(pl.col("n_not") > 0)
        .then(pl.lit("not_met"))
        .when(pl.col("n_met") == len(top))
        .then(pl.lit("met"))
        .otherwise(pl.lit("not_assessable"))
    )
    labels = io.read(small.site / "labels.parquet").filter(definition=definition)
    both = labels.join(judged, on="patient_id", how="left", validate="1:1")
    assert both["n"].to_list() == [len(top)] * labels.height
    assert both.filter(pl.col("status") != status).is_empty()


# Cohorts


@pytest.mark.parametrize("cohort", COHORTS)
def test_nobody_is_lost_on_the_way_into_a_cohort(small: Run, cohort: str) -> None:
    flow = io.read(small.cohort(cohort) / "flow.csv")
    assert flow["n_before"][0] == io.read(small.site / "valid" / "patients.parquet").height
    assert flow.filter(pl.col("n_before") - pl.col("n_excluded") != pl.col("n_after")).is_empty()
    assert flow["n_before"].to_list()[1:] == flow["n_after"].to_list()[:-1]
    assert flow["n_after"][-1] == io.read(small.cohort(cohort) / "analysis_set.parquet").height
    assert flow["reason"].null_count() == 0


def test_the_first_and_the_rest_make_the_whole(small: Run) -> None:
    first, rest, whole = (
        set(io.read(small.cohort(name) / "analysis_set.parquet")["patient_id"]) for name in COHORTS
    )
    assert not first & rest
    assert first | rest == whole


@pytest.mark.parametrize("cohort", COHORTS)
def test_the_analysis_set_carries_the_labels(small: Run, cohort: str) -> None:
    labels = io.read(small.site / "labels.parquet").pivot("definition", index="patient_id", values="status")
    members = io.read(small.cohort(cohort) / "analysis_set.parquet").select("patient_id", *DEFINITIONS)
    assert members.join(labels, on=members.columns, how="anti", nulls_equal=True).is_empty()


@pytest.mark.parametrize("cohort", COHORTS)
def test_met_not_met_and_not_assessable_make_the_cohort(small: Run, cohort: str) -> None:
    found = io.read(small.cohort(cohort) / "prevalence.csv")
    members = io.read(small.cohort(cohort) / "analysis_set.parquet")
    assert found.height == 4 * len(DEFINITIONS)
    assert set(found["n"]) == {members.height}
    assert found.filter(pl.sum_horizontal("n_met", "n_not_met", "n_not_assessable") != pl.col("n")).is_empty()
    for row in found.filter(criterion_3_policy="unknown").iter_rows(named=True):
        statuses = members[row["definition"]].to_list()
        assert [row[f"n_{status}"] for status in ("met", "not_met", "not_assessable")] == [
            statuses.count(status) for status in ("met", "not_met", "not_assessable")
        ]


@pytest.mark.parametrize("cohort", COHORTS)
def test_percentages_are_those_of_the_counts_beside_them(small: Run, cohort: str) -> None:
    for row in io.read(small.cohort(cohort) / "prevalence.csv").iter_rows(named=True):
        wilson = proportion(row["n_met"], row["n"])
        expected = {
            "percent": 100 * row["n_met"] / row["n"],
            "ci_low": 100 * wilson.ci_low,
            "ci_high": 100 * wilson.ci_high,
            "lower_bound": 100 * row["n_met"] / row["n"],
            "upper_bound": 100 * (row["n_met"] + row["n_not_assessable"]) / row["n"],
            "percent_complete_case": 100 * row["n_met"] / (row["n_met"] + row["n_not_met"]),
        }
        assert {name: row[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize("cohort", COHORTS)
def test_taking_criterion_3_as_met_never_makes_fewer_patients_meet_a_definition(
    small: Run, cohort: str
) -> None:
    by_policy = io.read(small.cohort(cohort) / "prevalence.csv").pivot(
        "criterion_3_policy", index="definition", values="n_met"
    )
    assert by_policy.filter(pl.col("assume_met") < pl.col("unknown")).is_empty()
    assert by_policy.filter(pl.col("global_above_50") < pl.col("unknown")).is_empty()


# Models and reproduction


@pytest.mark.parametrize("cohort", COHORTS)
def test_an_odds_ratio_lies_within_its_interval_and_belongs_to_its_estimate(small: Run, cohort: str) -> None:
    rows = io.read(small.cohort(cohort) / "models" / "small_model.csv")
    assert set(rows["definition"]) == set(DEFINITIONS)
    assert rows.filter(pl.col("n_events") > pl.col("n")).is_empty()
    fitted = rows.filter(pl.col("ci_low").is_not_null())
    assert fitted.height
    for row in fitted.iter_rows(named=True):
        assert row["ci_low"] <= row["odds_ratio"] <= row["ci_high"]
        assert row["odds_ratio"] == pytest.approx(math.exp(row["estimate"]))
        assert 0 <= row["p_value"] <= 1


def test_what_was_published_is_set_beside_the_cohort_it_was_published_of(small: Run) -> None:
    found = {name: io.read(small.cohort(name) / "reproduction.csv") for name in COHORTS}
    assert {name: rows.height for name, rows in found.items()} == {"audit": 12, "extension": 0, "full": 0}
    counted = found["audit"].filter(pl.col("denominator") > 0)
    assert counted["computed"].to_list() == pytest.approx(
        (100 * counted["numerator"] / counted["denominator"]).to_list()
    )
    assert found["audit"].filter((pl.col("denominator") == 0) & pl.col("computed").is_not_null()).is_empty()
    assert (
        found["audit"]
        .filter(pl.col("agrees") & (pl.col("numerator") != pl.col("implied_numerator")))
        .is_empty()
    )


# Tables before disclosure control


@pytest.mark.parametrize("cohort", COHORTS)
def test_the_groups_of_a_table_add_up_to_all(small: Run, cohort: str) -> None:
    groups = ["Met", "Not met", "Not assessable"]
    checked = 0
    for name, frame in cells(small, cohort).items():
        counts = frame.filter(COUNTED, pl.col("column").is_in(["All", *groups])).with_columns(
            pl.col("level").fill_null("")
        )
        if not {"All", "Met"} <= set(
            counts["column"]
        ):  # NICE's eras and the rows of an extract have other groups
            continue
        wide = counts.pivot("column", index=["row", "level"], values=["n", "total"]).filter(
            pl.col("n_All").is_not_null()
        )
        for what in ("n", "total"):
            present = [f"{what}_{group}" for group in groups if f"{what}_{group}" in wide.columns]
            whole = wide.filter(pl.col(f"{what}_All").is_not_null())
            assert whole.filter(pl.sum_horizontal(present) != pl.col(f"{what}_All")).is_empty(), name
            checked += whole.height
    assert checked > 50


@pytest.mark.parametrize("cohort", COHORTS)
def test_the_levels_of_a_characteristic_add_up_to_its_known_and_to_the_cohort(
    small: Run, cohort: str
) -> None:
    table = cells(small, cohort)["table_1"]
    group_sizes = dict(table.filter(row="Patients", kind="count").select("column", "n").iter_rows())
    shares = table.filter(kind="proportion").group_by("row", "column", maintain_order=True)
    levels = shares.agg(
        n=pl.col("n").sum(),
        n_levels=pl.len(),
        total=pl.col("total").first(),
        n_totals=pl.col("total").n_unique(),
    )
    assert levels.filter(pl.col("n_totals") != 1).is_empty()
    assert levels.filter(pl.col("n_levels") > 1, pl.col("n") != pl.col("total")).is_empty()
    unknown = table.filter(level="not recorded").select("row", "column", unknown="n")
    whole = levels.join(unknown, on=["row", "column"], how="left").with_columns(
        pl.col("unknown").fill_null(0)
    )
    assert whole.filter(
        pl.col("total") + pl.col("unknown") != pl.col("column").replace_strict(group_sizes)
    ).is_empty()
    assert whole.height > 20


@pytest.mark.parametrize("cohort", COHORTS)
def test_a_share_is_no_larger_than_its_whole_and_carries_its_percentage(small: Run, cohort: str) -> None:
    for name, frame in cells(small, cohort).items():
        shares = frame.filter(kind="proportion")
        assert shares.filter(pl.col("n") > pl.col("total")).is_empty(), name
        assert shares.filter(
            (pl.col("estimate") - 100 * pl.col("n") / pl.col("total")).abs() > 1e-9
        ).is_empty(), name


@pytest.mark.parametrize("cohort", COHORTS)
def test_the_flow_table_is_the_flow(small: Run, cohort: str) -> None:
    flow = io.read(small.cohort(cohort) / "flow.csv")
    table = cells(small, cohort)["selection_flow"]
    assert table.filter(column="Remaining")["n"].to_list() == flow["n_after"].to_list()
    assert table.filter(column="Left out")["n"].to_list() == flow["n_excluded"].to_list()[1:]


# What is handed on


@pytest.mark.parametrize("cohort", COHORTS)
def test_inside_the_department_the_numbers_are_the_exact_ones(small: Run, cohort: str) -> None:
    handed_on = released_files(small, "local_audit", cohort)
    for name, private in cells(small, cohort).items():
        shown = handed_on[f"tables/{name}.csv"]
        assert shown["n"].cast(pl.Int64).to_list() == private["n"].to_list(), name


def test_the_profiles_of_the_small_study_are_the_ones_tested_here() -> None:
    assert {name for name in PROFILE_PLACES if load_profile(name).may_leave} == set(RELEASED)
    assert (PROJECT / "config" / "release.yaml").is_file()


@pytest.mark.parametrize("cohort", COHORTS)
@pytest.mark.parametrize("profile", RELEASED)
def test_no_small_count_leaves_and_the_others_are_rounded(small: Run, profile: str, cohort: str) -> None:
    rules = load_profile(profile)
    files = released_files(small, profile, cohort)
    assert {path.split("/")[0] for path in files} == {"tables", "figures"}
    seen = 0
    for name, frame in files.items():
        assert frame["smallest"].null_count() == frame.height, name
        for column in ("n", "total"):
            counts = frame[column].drop_nulls().cast(pl.Int64).to_list()
            assert not [count for count in counts if 1 <= count <= rules.suppress_up_to], name
            assert not [count for count in counts if count % rules.base], name
            seen += len(counts)
    assert seen > 50


@pytest.mark.parametrize("cohort", COHORTS)
@pytest.mark.parametrize("profile", RELEASED)
def test_released_percentages_and_intervals_are_those_of_the_released_counts(
    small: Run, profile: str, cohort: str
) -> None:
    for name, frame in released_files(small, profile, cohort).items():
        for row in frame.filter(kind="proportion").iter_rows(named=True):
            if not row["total"]:
                assert (row["estimate"], row["low"], row["high"]) == (None, None, None), name
                continue
            wilson = proportion(row["n"], row["total"])
            shown = [row["estimate"], row["low"], row["high"]]
            assert shown == pytest.approx(
                [100 * value for value in (wilson.estimate, wilson.ci_low, wilson.ci_high)]
            ), name


@pytest.mark.parametrize("cohort", COHORTS)
@pytest.mark.parametrize("profile", RELEASED)
def test_a_suppressed_cell_shows_no_number_and_says_why(small: Run, profile: str, cohort: str) -> None:
    private = cells(small, cohort)
    limit = load_profile(profile).suppress_up_to
    for name, frame in private.items():
        released = released_files(small, profile, cohort)[f"tables/{name}.csv"]
        keys = ["row", "level", "column"]
        both = frame.select(*keys, exact="n").join(
            released.select(*(pl.col(key).cast(pl.String) for key in keys), "n", "total", "estimate", "low", "high", "note"),
            on=keys, how="left", nulls_equal=True,
        )  # fmt: skip
        small_counts = both.filter(pl.col("exact").is_between(1, limit))
        assert set(small_counts["note"]) <= {"suppressed"}, name
        hidden = both.filter(note="suppressed")
        assert hidden.filter(
            pl.any_horizontal(pl.col("n", "total", "estimate", "low", "high").is_not_null())
        ).is_empty(), name
    assert private["table_1"].filter(pl.col("n").is_between(1, limit)).height > 0

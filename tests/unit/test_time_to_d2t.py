"""From verdicts to a curve: who is followed from when to when, what the table says, and what of the curve is let out."""

import datetime as dt
from functools import cache

import polars as pl
import pytest

from d2tra.config import Study
from d2tra.definitions import load_definition
from d2tra.disclosure import disclose, load_profile
from d2tra.follow_up import FOLLOWED, follow_label, time_until_met
from d2tra.risk_factor_plan import load_plan
from d2tra.tables.cells import formatted
from d2tra.tables.persistence import persistence
from d2tra.tables.results import Results
from d2tra.tables.time_to_d2t import AT_RISK, BY_THEN, CURVE, CURVES, HORIZONS, PATIENTS, time_to_d2t
from tables import frame

LETTERS = {"m": True, "n": False, "u": None}
START = dt.date(2020, 1, 1)
MET_COLUMN, DIED_COLUMN = CURVES.values()


def followed(verdicts, last_contact="", death="", cut=None, start=START):
    """A visit every 100 days from 2020-01-01 on: m met, n not met, u unknown. Returns what is kept of the patient."""
    visits = pl.DataFrame(
        {
            "patient_id": "A",
            "definition": "d",
            "evaluation_date": [start + dt.timedelta(days=100 * n) for n in range(len(verdicts))],
            "met": pl.Series([LETTERS[letter] for letter in verdicts], dtype=pl.Boolean),
        }
    )
    patients = pl.DataFrame(
        {
            "patient_id": ["A"],
            "last_contact_date": [dt.date.fromisoformat(last_contact) if last_contact else None],
            "death_month": [death or None],
        },
        schema={"patient_id": pl.String, "last_contact_date": pl.Date, "death_month": pl.String},
    )
    return follow_label(visits, patients, cut)


def spell(*given, first_bts="2020-01-01", **more):
    """left_out, days from the first b/tsDMARD to entry and end, event."""
    member = followed(*given, **more).with_columns(first_bts_date=pl.lit(first_bts).str.to_date())
    found = time_until_met(member).row(0, named=True)
    days = [round(found[name] * 365.25) for name in ("entry", "leave")] if found["left_out"] is None else None
    return found["left_out"], days, found["event"]


def test_who_is_met_later_enters_at_the_first_visit_and_leaves_when_met():
    assert spell("nnmm") == (None, [0, 200], "met")
    assert spell("nnmm", first_bts="2019-12-22") == (None, [10, 210], "met")


def test_time_before_the_first_biologic_does_not_count():
    assert spell("nnnm", first_bts="2020-05-20") == (None, [0, 160], "met")


@pytest.mark.parametrize(
    ("verdicts", "reason"),
    [
        ("mn", "met at the first visit, since when is not known"),
        ("um", "met at the first visit that could be assessed, earlier ones could not"),
        ("uu", "not assessable at any visit"),
        ("n", "not seen after the first visit"),
    ],
)
def test_who_cannot_be_followed_is_left_out_with_the_reason(verdicts, reason):
    assert spell(verdicts)[0] == reason


def test_who_met_it_by_the_start_of_the_first_biologic_is_left_out_on_that_day_and_kept_the_day_after():
    assert spell("nm", first_bts="2020-04-10")[0] == "met by the start of the first b/tsDMARD"
    assert spell("nm", first_bts="2020-04-09") == (None, [0, 1], "met")


def test_without_a_biologic_or_a_visit_there_is_no_time_to_count():
    nobody = pl.DataFrame(schema={"first_bts_date": pl.Date, **followed("n").select(FOLLOWED).schema})
    blank = pl.DataFrame([dict.fromkeys(nobody.columns)], schema=nobody.schema)
    assert time_until_met(blank)["left_out"].item() == "no b/tsDMARD started"
    treated = blank.with_columns(first_bts_date=pl.lit(START))
    assert time_until_met(treated)["left_out"].item() == "no visit"


def test_a_verdict_unknown_at_the_first_visits_delays_the_entry():
    assert spell("unnm") == (None, [100, 300], "met")


def test_a_verdict_unknown_between_does_not_end_the_watch():
    assert spell("numu") == (None, [0, 200], "met")


def test_who_is_not_met_is_censored_at_the_last_contact_or_the_last_visit_if_that_is_later_or_nothing_else():
    assert spell("nn", last_contact="2020-12-31") == (None, [0, 365], "censored")
    assert spell("nn", last_contact="2020-02-01") == (None, [0, 100], "censored")
    assert spell("nn") == (None, [0, 100], "censored")


def test_who_cannot_be_assessed_at_the_last_visits_is_censored_at_the_last_that_could_be_and_not_counted_as_dead():
    assert spell("nnu", last_contact="2020-12-31", death="2020-12") == (None, [0, 100], "censored")


def test_a_death_counts_on_the_15th_of_its_month_or_on_the_last_contact_in_it_if_that_is_later():
    assert spell("nn", death="2020-12") == (None, [0, 349], "died")
    assert spell("nn", last_contact="2020-12-31", death="2020-12") == (None, [0, 365], "died")


def test_a_death_in_a_month_after_the_recorded_last_contact_was_not_observed():
    assert spell("nn", last_contact="2020-11-30", death="2020-12") == (None, [0, 334], "censored")


def test_a_death_after_it_was_met_is_no_competing_event():
    assert spell("nm", death="2020-12") == (None, [0, 100], "met")


def test_nothing_after_the_studys_cut_is_known():
    cut = dt.date(2020, 11, 30)
    assert spell("nn", last_contact="2021-06-01", cut=cut) == (None, [0, 334], "censored")
    assert spell("nn", last_contact="2021-06-01", death="2021-06", cut=cut) == (None, [0, 334], "censored")


# Ten patients: the incidence can be followed by hand. 1 is met at the first visit; 2 never assessed; eight are followed.
WATCHED = frame("""
    patient_id | first_bts_date | verdicts | last_contact | death
    P0         | 2020-01-01     | m        |              |
    P1         | 2020-01-01     | uu       |              |
    P2         | 2020-01-01     | nm       |              |
    P3         | 2020-01-01     | nnm      |              |
    P4         | 2020-01-01     | nnnnm    |              |
    P5         | 2020-01-01     | nn       | 2020-07-01   | 2020-07
    P6         | 2020-01-01     | nn       | 2021-12-31   |
    P7         | 2020-01-01     | nn       | 2021-12-31   |
    P8         | 2020-01-01     | nn       | 2021-12-31   |
    P9         | 2020-01-01     | nn       | 2021-12-31   |
""")


@cache
def results(times=1):
    """The ten patients, as many times over, in one cohort."""
    rows = []
    for row in WATCHED.iter_rows(named=True):
        kept = followed(row["verdicts"], str(row["last_contact"] or ""), row["death"] or "")
        last = LETTERS[row["verdicts"][-1]]
        status = {True: "met", False: "not_met", None: "not_assessable"}[last]
        rows.append(
            kept.with_columns(
                first_bts_date=pl.lit(row["first_bts_date"]),
                eular_2021=pl.lit(status),
                eular_2021_hangs_on_presumed=False,
            )
        )
    study = Study(
        name="s", title="t", sites=["north"], cohorts=[{"name": "audit"}], definitions=["eular_2021"], seed=1
    )
    members = pl.concat(rows * times)
    return Results(
        study=study, cohort="audit", plan=load_plan(), definitions={"eular_2021": load_definition("eular_2021")},
        analysis_set=members, flow=members, prevalence=members,
    )  # fmt: skip


def shown(table, profile="local_audit"):
    texts = formatted(disclose(table.cells, load_profile(profile)))
    return {(line["row"], line["level"]): line for line in texts.iter_rows(named=True)}


def test_the_table_says_who_is_followed_and_why_others_are_not():
    lines = shown(time_to_d2t(results()))
    assert lines["Cohort members", None][PATIENTS] == "10"
    assert lines["Left out", "met at the first visit, since when is not known"][PATIENTS] == "1"
    assert lines["Left out", "not assessable at any visit"][PATIENTS] == "1"
    assert [
        lines["Followed", level][PATIENTS] for level in (None, "met", "died before", "neither until the end")
    ] == ["8", "3", "1", "4"]


def test_the_incidence_is_that_of_aalen_and_johansen():
    """By hand: 1/8 at day 100, then 7/8 × 1/7 at the death, 6/8 × 1/6 at day 200, 5/8 × 1/5 at day 400."""
    lines = shown(time_to_d2t(results()))
    one, two = lines[BY_THEN, "1 year"], lines[BY_THEN, "2 years"]
    assert one[MET_COLUMN].startswith("25.00 (")
    assert one[DIED_COLUMN].startswith("12.50 (")
    assert two[AT_RISK] == "0"
    assert two[MET_COLUMN] == "–"
    assert one[AT_RISK] == "5"


def test_steps_are_for_the_figure_not_for_the_printed_table():
    table = time_to_d2t(results())
    steps = table.cells.filter(pl.col("row") == CURVE)
    assert steps.filter(pl.col("column") == MET_COLUMN)["level"].to_list() == ["0.274", "0.548", "1.095"]
    assert steps.filter(pl.col("column") == MET_COLUMN)["estimate"].to_list() == pytest.approx(
        [12.5, 25.0, 37.5]
    )
    assert CURVE not in {row for row, _ in shown(table)}


def test_without_verdicts_or_without_anybody_to_follow_there_is_no_incidence():
    of_nobody = results().analysis_set.filter(pl.col("first_assessed_date").is_null())
    study = results()
    table = time_to_d2t(Results(**{**vars(study), "analysis_set": of_nobody}))
    assert BY_THEN not in table.cells["row"]
    assert shown(table)["Followed", None][PATIENTS] == "0"
    without = Results(**{**vars(study), "analysis_set": of_nobody.drop(FOLLOWED)})
    assert time_to_d2t(without).cells.is_empty()
    assert persistence(without).cells.is_empty()


@pytest.mark.parametrize(("profile", "fewest"), [("opensafely", 8), ("acro", 10), ("midpoint6", 6)])
def test_between_two_released_steps_lie_enough_events_and_the_horizons_are_exact_or_held_back(
    profile, fewest
):
    table = time_to_d2t(results(times=4))  # 12 met: 4 on each of three days; 4 die
    exact, released = table.cells, disclose(table.cells, load_profile(profile))
    steps = released.filter(pl.col("kind") == "step", pl.col("column") == MET_COLUMN)
    assert exact.filter(pl.col("kind") == "step", pl.col("column") == MET_COLUMN).height == 3
    n_behind = {"0.274": 4, "0.548": 8, "1.095": 12}
    reached = [n_behind[level] for level in steps["level"]]
    assert all(later - earlier >= fewest for earlier, later in zip([0, *reached], reached, strict=False))
    at_a_year = released.filter(
        pl.col("row") == BY_THEN, pl.col("level") == "1 year", pl.col("column") == MET_COLUMN
    )
    assert (at_a_year["estimate"].item() is None) == (fewest > 8)
    if fewest <= 8:
        assert at_a_year["estimate"].item() == 25.0
    assert released.filter(pl.col("kind") == "step", pl.col("column") == DIED_COLUMN).is_empty()


def test_steps_left_over_at_the_end_go_with_the_last_one_or_are_held_back():
    one = {"row": CURVE, "column": MET_COLUMN, "kind": "step", "n": 1}
    cells = pl.DataFrame([{**one, "level": f"{n}.00", "estimate": float(n)} for n in range(1, 13)])
    template = time_to_d2t(results()).cells.clear()
    released = disclose(pl.concat([template, cells], how="diagonal"), load_profile("opensafely"))
    assert released["level"].to_list() == ["12.00"]
    few = disclose(pl.concat([template, cells.head(7)], how="diagonal"), load_profile("opensafely"))
    assert few.is_empty()


def test_persistence_says_where_those_who_met_it_stand_and_how_long_they_have():
    lines = {key: line[PATIENTS] for key, line in shown(persistence(results())).items()}
    assert lines["Ever met, of those assessed at a visit", None].startswith("4/9")
    assert lines["At the index date, of those who ever met it", "Met"].startswith("4/4")
    assert lines["Assessed again after it was first met", None] == "0"
    assert lines["Met at every visit up to the index date, of those met then", "6 months or more"].startswith(
        "0/4"
    )


def test_exits_and_returns_are_counted_by_patient():
    base = results()
    rows = [
        followed(verdicts).with_columns(
            first_bts_date=pl.lit(START), eular_2021=pl.lit(status), eular_2021_hangs_on_presumed=False
        )
        for verdicts, status in (("nmnm", "met"), ("mn", "not_met"), ("mnmn", "not_met"), ("mmm", "met"))
    ]
    table = persistence(Results(**{**vars(base), "analysis_set": pl.concat(rows)}))
    lines = {
        row: line[PATIENTS].split(" ")[0] for (row, level), line in shown(table).items() if level is None
    }
    assert lines["Assessed again after it was first met"] == "4"
    assert lines["Left it at least once, of those assessed again"] == "3/4"
    assert lines["Left it more than once, of those assessed again"] == "1/4"
    assert lines["Met it again, of those who left it"] == "2/3"
    months = shown(table)["Met at every visit up to the index date, of those met then", "6 months or more"][
        PATIENTS
    ]
    assert months.startswith("1/2")  # 200 days are 6.6 months


def test_the_horizons_are_those_of_the_specification():
    assert HORIZONS == (1, 2, 5, 10)

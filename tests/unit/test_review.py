"""The sample of a chart review is stratified with known probabilities; its score is right and its intervals hold."""

import runpy
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from d2tra.errors import StudyError
from d2tra.estimates import proportion
from d2tra.review import posterior
from d2tra.review.sampling import (
    Sizes,
    add_criteria,
    allocate,
    draw_sample,
    labels_sha256,
    place_in_strata,
)
from d2tra.review.scoring import combine_reviewers, score_review
from tables import frame

SIZES = Sizes(random=12, near=4, discordant=4, not_assessable=3)
DEFINITIONS = ["eular_2021", "strict", "routine"]

MEMBERS = frame("""
    site  | patient_id | index_date | eular_2021     | strict         | routine
    north | a          | 2023-05-01 | met            | met            | met
    north | b          | 2023-05-02 | met            | met            | met
    north | c          | 2023-05-03 | met            | not_met        | met
    north | d          | 2023-05-04 | not_met        | not_met        | not_met
    north | e          | 2023-05-05 | not_met        | not_met        | not_met
    north | f          | 2023-05-06 | not_met        | not_assessable | not_met
    north | g          | 2023-05-07 | not_assessable | not_met        | met
    north | h          |            | not_assessable | not_assessable | not_assessable
    north | p          | 2023-05-08 |                |                |
""")
SCORES = frame("""
    site  | patient_id | visit_date | near_cutoff
    north | a          | 2023-05-01 | true
    north | b          | 2023-04-01 | true
    north | c          | 2023-05-03 | true
    north | d          | 2023-05-04 | false
    north | e          | 2023-05-05 |
    north | g          | 2023-05-07 | true
""")


def cohort(**counts: int) -> pl.DataFrame:
    """Returns members placed in strata, so many of each: discordant_met=3 …"""
    strata = {
        "discordant_met": ("discordant, met", "met"),
        "rest_met": ("rest, met", "met"),
        "near_not": ("near the cut-off, not_met", "not_met"),
        "rest_not": ("rest, not_met", "not_met"),
        "unjudged": ("not_assessable", "not_assessable"),
    }
    rows = [
        {"site": "s", "patient_id": f"{name}{i:04}", "stratum": strata[name][0], "label": strata[name][1]}
        for name, count in counts.items()
        for i in range(count)
    ]
    return pl.DataFrame(rows).with_columns(judged_at=pl.date(2023, 5, 1))


def answered(key: pl.DataFrame, *overall: str | None) -> pl.DataFrame:
    return key.select("review_number", overall=pl.Series(overall, dtype=pl.String))


def numbers(blocks: list[pl.DataFrame], row: str, column: str = "Estimate (95 % CI)") -> tuple[float, ...]:
    cells = pl.concat(blocks).filter(pl.col("row") == row, pl.col("column") == column)
    return cells.select("estimate", "low", "high").row(0)


# --- placing in strata ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patient", "stratum"),
    [
        ("a", "near the cut-off, met"),
        ("b", "rest, met"),  # near a cut-off at an earlier visit only
        ("c", "discordant, met"),  # near too: the first group that fits
        ("d", "rest, not_met"),
        ("e", "rest, not_met"),  # nothing known of nearness
        ("f", "rest, not_met"),  # a definition that cannot be assessed does not differ
        ("g", "not_assessable"),  # whatever else holds
        ("h", "not_assessable"),
    ],
)
def test_each_member_is_in_the_first_stratum_that_fits(patient, stratum):
    placed = place_in_strata(MEMBERS, SCORES, DEFINITIONS)
    assert placed.filter(pl.col("patient_id") == patient)["stratum"].to_list() == [stratum]


def test_a_member_whom_the_definition_is_not_about_is_not_drawn():
    assert "p" not in place_in_strata(MEMBERS, SCORES, DEFINITIONS)["patient_id"]


def test_the_day_to_judge_at_does_not_tell_that_a_patient_was_never_seen():
    placed = place_in_strata(MEMBERS, SCORES, DEFINITIONS)
    assert placed["judged_at"].null_count() == 0


def test_a_study_of_one_definition_has_no_discordant_patient():
    placed = place_in_strata(MEMBERS, SCORES, DEFINITIONS[:1])
    assert not placed["stratum"].str.starts_with("discordant").any()


# --- allocation and drawing ----------------------------------------------------------------------------------------


def test_every_stratum_gets_a_chart_and_none_more_than_it_has():
    counts = {"rest, met": 2, "rest, not_met": 900, "near the cut-off, met": 1, "not_assessable": 2}
    drawn = allocate(counts, Sizes(10, 5, 5, 10))
    assert drawn["near the cut-off, met"] == 1
    assert drawn["not_assessable"] == 2
    assert all(1 <= drawn[name] <= n for name, n in counts.items())


def test_the_rare_label_is_read_more_densely():
    drawn = allocate({"rest, met": 100, "rest, not_met": 900}, Sizes(40, 0, 0, 0))
    assert drawn == {"rest, met": 10, "rest, not_met": 30}  # as the square roots, 10 to 30


def test_additional_charts_go_to_their_group_only():
    counts = {"rest, met": 100, "rest, not_met": 900, "discordant, not_met": 100}
    without, more = allocate(counts, Sizes(40, 0, 0, 0)), allocate(counts, Sizes(40, 0, 7, 0))
    assert more["discordant, not_met"] == without["discordant, not_met"] + 7
    assert sum(more.values()) == 47


def test_a_sample_as_large_as_the_cohort_is_the_cohort():
    placed = cohort(rest_met=5, rest_not=9, unjudged=3)
    sample = draw_sample(placed, Sizes(100, 0, 0, 10), seed=1)
    assert sample.height == 17
    assert (sample["inclusion_probability"] == 1).all()


def test_too_few_charts_for_the_strata_are_refused():
    with pytest.raises(StudyError, match="each of 2 strata needs a chart"):
        allocate({"rest, met": 5, "rest, not_met": 5}, Sizes(1, 0, 0, 0))


def test_a_cohort_of_nobody_is_refused():
    with pytest.raises(StudyError, match="nothing to review"):
        allocate({}, SIZES)


def test_each_patient_is_drawn_once_and_the_same_seed_draws_the_same():
    placed = cohort(discordant_met=10, rest_met=20, near_not=15, rest_not=200, unjudged=9)
    sample = draw_sample(placed, SIZES, seed=3)
    assert sample["patient_id"].is_unique().all()
    assert sample.equals(draw_sample(placed.sample(fraction=1, shuffle=True, seed=1), SIZES, seed=3))
    assert not sample.equals(draw_sample(placed, SIZES, seed=4))


def test_patients_are_drawn_as_often_as_their_inclusion_probability_says():
    placed = cohort(rest_met=4, near_not=6, rest_not=30)
    drawn = pl.concat(draw_sample(placed, SIZES, seed=seed) for seed in range(200))
    often = drawn.group_by("patient_id", "inclusion_probability").len()
    spread = (0.25 / 200) ** 0.5  # standard error of a share at its widest
    assert (often["len"] / 200 - often["inclusion_probability"]).abs().max() < 4.5 * spread


def test_the_order_of_the_charts_does_not_follow_the_strata():
    placed = cohort(discordant_met=30, rest_met=30, rest_not=30)
    sample = draw_sample(placed, Sizes(100, 0, 0, 0), seed=5)
    runs = (sample["stratum"] != sample["stratum"].shift()).sum()
    assert runs > 40  # 3 if they stood in blocks, about 60 by chance


def test_the_fingerprint_changes_with_one_label_and_not_with_the_order():
    placed = cohort(rest_met=3, rest_not=3)
    changed = placed.with_columns(
        label=pl.when(pl.col("patient_id") == "rest_met0001").then(pl.lit("not_met")).otherwise("label")
    )
    assert labels_sha256(placed) == labels_sha256(placed.reverse())
    assert labels_sha256(placed) != labels_sha256(changed)


def test_a_criterion_without_a_verdict_is_unknown_never_not_met():
    sample = draw_sample(cohort(rest_met=2, rest_not=1), SIZES, seed=1).sort("patient_id")
    evidence = frame("""
        site | patient_id   | definition | criterion | met
        s    | rest_met0000 | eular_2021 | 3         | true
        s    | rest_met0001 | eular_2021 | 3         |
        s    | rest_not0000 | other      | 3         | false
    """).with_columns(pl.col("criterion").cast(pl.String))
    assert add_criteria(sample, evidence, "eular_2021", ["3"])["criterion 3"].to_list() == [
        "met",
        "unknown",
        "unknown",
    ]


# --- scoring -------------------------------------------------------------------------------------------------------


def test_where_every_chart_was_read_the_estimates_are_the_cohort_itself():
    key = draw_sample(cohort(rest_met=4, rest_not=6), Sizes(50, 0, 0, 0), seed=1).sort("patient_id")
    answers = answered(key, "yes", "yes", "yes", "no", "yes", *["no"] * 5)
    blocks = score_review(key, [answers], {}, seed=1)
    assert numbers(blocks, "Sensitivity, %") == pytest.approx((75, 75, 75))
    assert numbers(blocks, "Specificity, %") == pytest.approx((500 / 6,) * 3)
    assert numbers(blocks, "Positive predictive value, %") == pytest.approx((75, 75, 75))
    assert numbers(blocks, "Negative predictive value, %") == pytest.approx((500 / 6,) * 3)
    assert numbers(blocks, "Prevalence by review, of the assessable, %") == pytest.approx((40, 40, 40))


def test_the_sensitivity_is_weighted_back_to_the_cohort():
    """10 of 10 met confirmed; 1 of 10 read of 100 not met is D2T: 10 of 10 + 10, not 10 of 11."""
    strata = pl.DataFrame(
        {
            "stratum": ["m", "n"],
            "label": ["met", "not_met"],
            "n": [10, 100],
            "n_decided": [10, 10],
            "n_yes": [10, 1],
        }
    )
    found = posterior.estimate_measure(posterior.sensitivity, strata, posterior.draw_totals(strata, seed=1))
    assert found.estimate == pytest.approx(0.5)
    assert found.ci_low < 0.5 < found.ci_high


def test_few_charts_of_many_give_the_jeffreys_interval():
    """Without a finite population to speak of, the limits are those of `estimates.proportion`, which R's binom confirms."""
    strata = pl.DataFrame(
        {"stratum": ["m"], "label": ["met"], "n": [1_000_000], "n_decided": [40], "n_yes": [33]}
    )
    drawn = posterior.draw_totals(strata, seed=1)
    found = posterior.estimate_measure(posterior.positive_predictive, strata, drawn)
    assert found == pytest.approx(proportion(33, 40, "jeffreys"), abs=0.004)


def test_cutting_a_label_into_strata_adds_no_prior_errors():
    whole = pl.DataFrame(
        {"stratum": ["n"], "label": ["not_met"], "n": [600], "n_decided": [60], "n_yes": [0]}
    )
    cut = pl.DataFrame(
        {
            "stratum": list("abc"),
            "label": ["not_met"] * 3,
            "n": [200] * 3,
            "n_decided": [20] * 3,
            "n_yes": [0] * 3,
        }
    )
    of_whole, of_cut = (
        posterior.draw_totals(strata, seed=1)["not_met yes"].mean() for strata in (whole, cut)
    )
    assert of_cut == pytest.approx(of_whole, rel=0.1)


def test_a_chart_that_cannot_be_told_is_never_a_no():
    key = draw_sample(cohort(rest_met=4, rest_not=4), Sizes(50, 0, 0, 0), seed=1).sort("patient_id")
    blocks = score_review(key, [answered(key, "yes", "yes", "yes", "cannot tell", *["no"] * 4)], {}, seed=1)
    row = "Positive predictive value, %"
    assert numbers(blocks, row)[0] == pytest.approx(100)  # of the three decided
    assert numbers(blocks, row)[1] < 100  # the fourth may be either
    assert numbers(blocks, row, "If every undecided chart were no") == pytest.approx((75, 75, 75))
    assert numbers(blocks, row, "If every undecided chart were yes") == pytest.approx((100, 100, 100))


def test_where_all_is_decided_no_bounds_are_shown():
    key = draw_sample(cohort(rest_met=2, rest_not=2), Sizes(50, 0, 0, 0), seed=1).sort("patient_id")
    blocks = score_review(key, [answered(key, "yes", "yes", "no", "no")], {}, seed=1)
    assert not pl.concat(blocks)["column"].str.starts_with("If every").any()


def test_an_unanswered_chart_is_not_counted_as_read():
    key = draw_sample(cohort(rest_met=2, rest_not=3), Sizes(50, 0, 0, 0), seed=1).sort("patient_id")
    blocks = score_review(key, [answered(key, "yes", None, "no", None, "no")], {}, seed=1)
    counted = pl.concat(blocks).filter(pl.col("row") == "Charts read", pl.col("column") == "Not answered")
    assert dict(counted.select("level", "n").rows()) == {
        "Labelled met": 1,
        "Labelled not met": 1,
        "Not assessable": 0,
    }


def test_a_stratum_without_a_decided_chart_is_put_to_the_largest_of_its_label():
    strata = frame("""
        stratum | label   | n   | n_decided | n_yes
        a       | met     | 10  | 5         | 4
        b       | met     | 2   | 0         | 0
        c       | not_met | 100 | 20        | 1
    """)
    merged = posterior.merge_undecided(strata)
    assert merged.filter(pl.col("stratum") == "a")["n"].to_list() == [12]
    assert merged["n"].sum() == 112


def test_a_label_of_which_nothing_was_decided_has_no_estimate():
    key = draw_sample(cohort(rest_met=2, rest_not=3), Sizes(50, 0, 0, 0), seed=1).sort("patient_id")
    blocks = score_review(key, [answered(key, "yes", "yes", None, None, None)], {}, seed=1)
    assert numbers(blocks, "Positive predictive value, %")[0] == pytest.approx(100)
    assert numbers(blocks, "Sensitivity, %") == (None, None, None)
    assert numbers(blocks, "Prevalence by review, of the assessable, %") == (None, None, None)


def test_patients_who_are_not_assessable_count_in_the_prevalence_of_all_members_only():
    key = draw_sample(cohort(rest_met=2, rest_not=2, unjudged=4), Sizes(50, 0, 0, 9), seed=1).sort(
        "patient_id"
    )
    answers = answered(key, "yes", "yes", "no", "no", "yes", "yes", "no", "yes")
    blocks = score_review(key, [answers], {}, seed=1)
    assert numbers(blocks, "Prevalence by review, of the assessable, %")[0] == pytest.approx(50)
    assert numbers(blocks, "Prevalence by review, of all members, %")[0] == pytest.approx(62.5)


def test_two_reviewers_who_differ_leave_a_chart_undecided_and_an_empty_answer_yields_to_the_other():
    first = frame("review_number | overall\n1 | yes\n2 | yes\n3 | \n4 | cannot tell\n5 | ", overall=pl.String)
    second = frame("review_number | overall\n1 | yes\n2 | no\n3 | no\n4 | yes\n5 | ", overall=pl.String)
    assert combine_reviewers([first, second])["overall"].to_list() == [
        "yes",
        "cannot tell",
        "no",
        "cannot tell",
        None,
    ]


def test_the_kappa_between_reviewers_is_cohens():
    """20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: kappa 0.4 (the textbook example; observed 0.7, by chance 0.5)."""
    key = draw_sample(cohort(rest_met=25, rest_not=25), Sizes(99, 0, 0, 0), seed=1).sort("patient_id")
    readings = [
        answered(key, *["yes"] * 25, *["no"] * 25),
        answered(key, *["yes"] * 20, *["no"] * 5, *["yes"] * 10, *["no"] * 15),
    ]
    blocks = score_review(key, readings, {}, seed=1)
    assert numbers(blocks, "All in all: both reviewers", "Cohen's kappa")[0] == pytest.approx(0.4)


def test_each_criterion_is_compared_with_the_programs_verdict():
    key = draw_sample(cohort(rest_met=2, rest_not=2), Sizes(50, 0, 0, 0), seed=1).sort("patient_id")
    key = key.with_columns(pl.Series("criterion 3", ["met", "met", "unknown", "not_met"]))
    answers = answered(key, "yes", "yes", "no", "no").with_columns(
        pl.Series("3", ["yes", "no", "yes", "cannot tell"])
    )
    agreement = pl.concat(score_review(key, [answers], {"3": "problematic"}, seed=1)).filter(
        pl.col("row") == "Criterion 3: problematic: program and review", pl.col("column") == "Agreement"
    )
    assert agreement.select("n", "total").rows() == [
        (1, 2)
    ]  # unknown and cannot tell are left out, on either side


def test_the_weighted_kappa_of_a_fully_read_cohort_is_that_of_its_cross_table():
    from d2tra.estimates import kappa

    table = {"met yes": 8.0, "met no": 2.0, "not_met yes": 3.0, "not_met no": 40.0}
    totals = {name: np.array([value]) for name, value in table.items()}
    assert posterior.cohen_kappa(totals)[0] == pytest.approx(kappa(8, 2, 3, 40).estimate)
    assert posterior.gwet_ac1(totals)[0] == pytest.approx(kappa(8, 2, 3, 40, kind="gwet").estimate)


@pytest.mark.parametrize(("seed", "same"), [(1, True), (2, False)])
def test_the_same_seed_gives_the_same_limits(seed, same):
    key = draw_sample(cohort(rest_met=20, rest_not=80), SIZES, seed=1).sort("patient_id")
    n_met = key.filter(pl.col("label") == "met").height
    answers = answered(key, "no", *["yes"] * (n_met - 1), "yes", *["no"] * (key.height - n_met - 1))
    first, second = (pl.concat(score_review(key, [answers], {}, seed=s)) for s in (1, seed))
    wanted = pl.col("row") == "Cohen's kappa, label and review"
    assert first.filter(wanted).equals(second.filter(wanted)) == same


@pytest.mark.slow
@pytest.mark.parametrize(
    "title",
    ["95 patients, 30 charts, varied", "722 patients, 60 charts, varied", "722 patients, 80 charts, varied"],
)
def test_the_intervals_hold_the_truth_about_95_times_in_100(title):
    """400 simulated cohorts: three standard errors are 3.3 points. benchmarks/review_coverage.py shows more of them."""
    benchmark = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "review_coverage.py"))
    for covered, _ in benchmark["cover"](benchmark["SCENARIOS"][title], replicates=400).values():
        assert 0.917 <= covered <= 0.983

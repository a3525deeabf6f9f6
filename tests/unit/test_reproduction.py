"""The audit's printed numbers against a hand-made analysis set of 95 patients (clinical reference, section 3)."""

import polars as pl
import pytest

from d2tra.config import PROJECT
from d2tra.errors import StudyError
from d2tra.reproduction import Published, load_published, other_readings, reproduce
from tables import frame

PUBLISHED = load_published(PROJECT / "config" / "published" / "audit_2024.yaml")

# n patients alike per row: 12 met (3 high, 9 moderate), 80 not met, 3 not assessable.
ALIKE = frame("""
    n  | audit_95       | severity | n_bts_tried | rf_positive | anti_ccp_positive | obese | fibromyalgia | osteoarthritis
    2  | met            | high     | 3           | true        | true              | true  | true         | true
    1  | met            | high     | 4           | true        | true              | true  | true         | true
    4  | met            | moderate | 3           | true        | true              | true  | false        | true
    2  | met            | moderate | 4           | true        | true              | false | true         | true
    2  | met            | moderate | 4           | true        | false             | false | false        | true
    1  | met            | moderate | 5           | false       | false             | true  | false        | false
    80 | not_met        | low      | 1           | true        | true              | false | false        | false
    3  | not_assessable | moderate | 1           |             |                   |       | false        | false
""")


def analysis_set(alike=ALIKE):
    rows = alike.select(pl.all().repeat_by("n")).explode(pl.all()).drop("n")
    both, either = ("fibromyalgia", "osteoarthritis"), ("rf_positive", "anti_ccp_positive")
    return rows.with_columns(
        seropositive_both=pl.all_horizontal(either),
        seropositive_any=pl.any_horizontal(either),
        fibromyalgia_and_osteoarthritis=pl.all_horizontal(both),
        fibromyalgia_or_osteoarthritis=pl.any_horizontal(both),
        n_csdmards_before_bts=pl.lit(2),
        methotrexate_before_bts=pl.lit(True),
    )


def found(**columns):
    """The reproduction after some columns of the first row (two alike) were changed."""
    one = ALIKE.head(1).with_columns(n=pl.lit(1, pl.Int64))
    changed = one.with_columns(**{name: pl.lit(value) for name, value in columns.items()})
    return reproduce(
        analysis_set(pl.concat([changed.cast(ALIKE.schema), one, ALIKE.tail(-1)])), PUBLISHED, "audit"
    )


def test_the_twelve_printed_statements_are_reproduced_as_implied():
    result = reproduce(analysis_set(), PUBLISHED, "audit")
    assert result.select("published", "implied_numerator", "numerator", "denominator").rows() == [
        (13, 12, 12, 95), (75, 9, 9, 12), (66, 8, 8, 12), (42, 5, 5, 12), (25, 3, 3, 12), (75, 9, 9, 12), (100, 12, 12, 12),
        (67, 2, 2, 3), (33, 1, 1, 3), (45, 4, 4, 9), (45, 4, 4, 9), (10, 1, 1, 9),
    ]  # fmt: skip
    assert result["agrees"].all()


def test_the_computed_percentage_keeps_its_full_precision():
    result = reproduce(analysis_set(), PUBLISHED, "audit")
    assert result["computed"].to_list()[0] == pytest.approx(12.631578947368421, abs=1e-15)


def test_the_columns_come_in_the_order_of_the_contract():
    assert reproduce(analysis_set(), PUBLISHED, "audit").columns[:8] == [
        "statement", "published", "implied_numerator", "numerator", "denominator", "computed", "agrees", "note",
    ]  # fmt: skip


def test_a_printed_number_that_is_no_correct_rounding_is_noted_from_its_own_fraction():
    notes = reproduce(analysis_set(), PUBLISHED, "audit")["note"].to_list()
    assert [i for i, note in enumerate(notes, start=1) if note] == [3, 10, 11, 12]
    assert notes[2] == "printed value is not a correct rounding: 8/12 = 66.67 rounds to 67, printed 66"
    assert notes[11] == "printed value is not a correct rounding: 1/9 = 11.11 rounds to 11, printed 10"


@pytest.mark.parametrize(("change", "no_longer"), [
    ({"obese": False}, [3]),
    ({"anti_ccp_positive": False}, [2]),
    ({"osteoarthritis": False}, [4]),
    ({"n_bts_tried": 2}, [8]),
    ({"n_bts_tried": 4}, [8, 9]),
    ({"severity": "moderate"}, [5, 6, 8, 9, 10, 11, 12]),
    ({"audit_95": "not_met"}, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
])  # fmt: skip
def test_one_patient_changed_and_the_statement_no_longer_agrees(change, no_longer):
    agrees = found(**change)["agrees"].to_list()
    assert [i for i, held in enumerate(agrees, start=1) if not held] == no_longer


def test_a_characteristic_not_known_stays_in_the_denominator_and_is_said():
    row = found(obese=None).row(2, named=True)
    assert (row["numerator"], row["denominator"], row["agrees"]) == (7, 12, False)
    assert row["note"].endswith("; not known of 1 of them")


def test_a_cohort_with_no_printed_numbers_gives_an_empty_table_with_the_same_columns():
    empty = reproduce(analysis_set(), PUBLISHED, "extension")
    assert empty.height == 0
    assert empty.schema == reproduce(analysis_set(), PUBLISHED, "audit").schema
    assert other_readings(analysis_set(), PUBLISHED, "extension").height == 0
    assert reproduce(analysis_set(), None, "audit").equals(empty)
    assert other_readings(analysis_set(), None, "audit").height == 0


def one_statement(published, implied, count, points=1.2):
    return Published.model_validate({
        "title": "t", "source": "s",
        "agreement": {"points": {"below": points}, "denominator": {"up_to": 12}, "source": "s"},
        "cohorts": {"audit": {"definition": "d", "statements": [
            {"statement": "x", "published": published, "implied": implied, "count": count, "among": {}}]}},
    })  # fmt: skip


@pytest.mark.parametrize(("published", "k", "n", "agrees"), [
    (13, 12, 95, True),
    (12, 12, 95, False),  # 12.63: above 12 patients only the correct rounding will do
    (12.6, 12, 95, True),  # to the decimals printed
    (12.7, 12, 95, False),
    (6.3, 1, 16, True),  # 6.25 rounds half away from zero
    (6.2, 1, 16, False),
    (66, 8, 12, True),  # 0.67 points apart
    (65, 8, 12, False),  # 1.67
    (8.8, 1, 10, False),  # exactly 1.2 points apart: not below
    (8.81, 1, 10, True),
    (8, 1, 13, True),  # 7.69, thirteen patients: correct rounding
    (8.5, 1, 13, False),
])  # fmt: skip
def test_agreement_allows_1_point_2_up_to_twelve_patients_and_asks_for_correct_rounding_above(
    published, k, n, agrees
):
    patients = pl.DataFrame({"yes": [True] * k + [False] * (n - k)})
    statement = one_statement(published, [k, n], {"yes": True})
    assert reproduce(patients, statement, "audit")["agrees"].to_list() == [agrees]


def test_the_right_percentage_of_another_fraction_does_not_agree():
    patients = pl.DataFrame({"yes": [True] * 6 + [False] * 2})
    assert reproduce(patients, one_statement(75, [9, 12], {"yes": True}), "audit")["agrees"].to_list() == [
        False
    ]


def test_a_limit_counts_its_own_edge():
    patients = pl.DataFrame({"tried": [2, 3, 4]})
    exactly, at_least = (
        reproduce(patients, one_statement(50, [1, 3], count), "audit")["numerator"].item()
        for count in ({"tried": 3}, {"tried": {"at_least": 3}})
    )
    assert (exactly, at_least) == (1, 2)


def test_a_statement_about_a_column_that_is_not_there_names_the_nearest_one():
    with pytest.raises(StudyError, match="did you mean 'obese'"):
        reproduce(pl.DataFrame({"obese": [True]}), one_statement(75, [9, 12], {"obesse": True}), "audit")


def test_the_other_readings_are_counted_in_the_same_patients_as_the_first():
    readings = other_readings(analysis_set(), PUBLISHED, "audit")
    counted = dict(readings.filter(pl.col("numerator").is_not_null()).select("reading", "numerator").rows())
    assert counted["B: each antibody separately, RF"] == 11
    assert counted["C: either one positive"] == 11
    assert counted["B: either of the two"] == 11
    assert counted["C: 42 % each, osteoarthritis"] == 11
    computed = readings.filter(pl.col("numerator").is_not_null())
    assert (computed["computed"] == 100 * computed["numerator"] / computed["denominator"]).all()


def test_a_reading_that_cannot_be_counted_says_why():
    readings = other_readings(analysis_set(), PUBLISHED, "audit")
    silent = readings.filter(pl.col("numerator").is_null() & pl.col("note").is_null())
    assert silent.height == 0
    coded = readings.filter(pl.col("reading") == "B: coded obesity")["note"].item()
    assert coded == "not computed: obesity_coded is not in the analysis set"


def test_with_an_earlier_baseline_the_characteristics_at_the_index_date_are_counted():
    earlier = analysis_set().with_columns(obese_at_index="obese", obese=pl.lit(False))
    assert reproduce(earlier, PUBLISHED, "audit")["numerator"].to_list()[2] == 8

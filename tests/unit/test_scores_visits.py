"""The face of the scores, their settings, and what holds for every score whatever the numbers."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from d2tra.config import setting
from d2tra.errors import StudyError
from d2tra.extract.schemas import complete
from d2tra.scores import load_score_settings, score_visits
from d2tra.scores.visits import FORMULAS, visit_columns
from tables import frame

RANGES = {
    "tjc28": (0, 28), "sjc28": (0, 28), "tjc68": (0, 68), "sjc66": (0, 66), "mdhaq_sum": (0, 30), "lei_count": (0, 6),
    "tender_dactylitis": (0, 20), "enthesitis_count": (0, 13),
    "patient_global_mm": (0.0, 100.0), "physician_global_mm": (0.0, 100.0), "pain_mm": (0.0, 100.0),
    "esr_mm_h": (0.0, 200.0), "crp_mg_l": (0.0, 600.0), "sf36_pcs": (0.0, 100.0), "pasi": (0.0, 72.0),
    "skin_bsa_percent": (0.0, 100.0), "haq_di": (0.0, 3.0),
}  # fmt: skip
QUICK = settings(max_examples=25, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
JOINTS = ["tjc28", "sjc28", "tjc68", "sjc66"]
NUMERIC = list(FORMULAS)
VISITS = st.fixed_dictionaries(
    {
        column: st.integers(*ends) if isinstance(ends[0], int) else st.floats(*ends, allow_subnormal=False)
        for column, ends in RANGES.items()
    }
)


def one_visit(components: dict[str, float | None]) -> pl.DataFrame:
    dtypes = {c: pl.Int64 if isinstance(ends[0], int) else pl.Float64 for c, ends in RANGES.items()}
    return pl.DataFrame([components], schema=dtypes).with_columns(
        patient_id=pl.lit("A"), visit_date=pl.date(2023, 1, 1)
    )


def scores_of(components: dict[str, float | None]) -> dict[str, float | None]:
    return score_visits(one_visit(components)).select(NUMERIC).row(0, named=True)


@QUICK
@given(VISITS)
def test_every_score_of_a_complete_visit_is_a_finite_number(components: dict[str, float]) -> None:
    assert all(value is not None and math.isfinite(value) for value in scores_of(components).values())


@QUICK
@given(VISITS, st.sampled_from(sorted(RANGES)))
def test_a_score_is_missing_exactly_where_a_component_of_its_formula_is(
    components: dict[str, float], missing: str
) -> None:
    formulas = load_score_settings().scores
    stem = {"esr_mm_h": "esr_floored", "crp_mg_l": "crp_m"}.get(missing, missing.removesuffix("_mm"))
    expected = {score for score in NUMERIC if stem in str(formulas[score].formula)}
    scored = scores_of({**components, missing: None})
    assert {score for score in NUMERIC if scored[score] is None} == expected


@QUICK
@given(
    VISITS,
    st.sampled_from([*JOINTS, "patient_global_mm", "physician_global_mm", "pain_mm", "esr_mm_h", "crp_mg_l"]),
)
def test_no_score_falls_when_a_count_a_global_or_an_acute_phase_value_rises(
    components: dict[str, float], column: str
) -> None:
    higher = scores_of({**components, column: RANGES[column][1]})
    assert all(higher[name] >= value - 1e-9 for name, value in scores_of(components).items())  # type: ignore[operator]


@QUICK
@given(VISITS)
def test_ten_mm_of_a_global_weigh_as_much_as_one_joint_in_cdai_and_sdai(components: dict[str, float]) -> None:
    components |= {"tjc28": 3, "patient_global_mm": 50.0}
    traded = scores_of({**components, "tjc28": 4, "patient_global_mm": 40.0})
    scored = scores_of(components)
    for score in ("cdai", "sdai"):
        assert traded[score] == pytest.approx(scored[score])


def test_what_scores_yaml_prints_as_formula_is_what_is_computed() -> None:
    random = np.random.default_rng(1)
    visits = pl.DataFrame(
        {
            c: random.integers(*e, 200) if isinstance(e[0], int) else random.uniform(*e, 200)
            for c, e in RANGES.items()
        }
    ).with_columns(
        patient_id=pl.lit("A"), visit_date=pl.date_range(pl.date(2023, 1, 1), pl.date(2023, 7, 19))
    )
    components = visits.with_columns(
        pl.col(pl.Int64).cast(pl.Float64),
        esr_floored=pl.col("esr_mm_h").clip(lower_bound=load_score_settings().esr_floor_mm_h),
        crp_mg_l_used="crp_mg_l",
        crp_mg_dl=pl.col("crp_mg_l") / 10,
        patient_global_cm=pl.col("patient_global_mm") / 10,
        physician_global_cm=pl.col("physician_global_mm") / 10,
        pain_cm=pl.col("pain_mm") / 10,
    )
    formulas = {name: score.formula for name, score in load_score_settings().scores.items() if score.formula}
    printed = components.select(pl.sql_expr(formula).alias(name) for name, formula in formulas.items())
    assert_frame_equal(score_visits(visits).select(printed.columns), printed, abs_tol=1e-9, rel_tol=0)


def test_every_score_of_the_settings_is_built_and_says_where_it_comes_from() -> None:
    scores = load_score_settings().scores
    assert {name for name, score in scores.items() if score.formula} == set(FORMULAS)
    assert all(score.source and score.title and score.unit and score.range for score in scores.values())


def test_visits_come_back_sorted_one_row_each_with_the_columns_promised() -> None:
    visits = frame("""
        patient_id | visit_date | tjc28
        B          | 2023-01-01 | 1
        A          | 2023-02-01 | 2
        A          | 2023-01-01 | 3
    """)
    scored = score_visits(visits)
    assert scored.select("patient_id", pl.col("visit_date").dt.month()).rows() == [
        ("A", 1),
        ("A", 2),
        ("B", 1),
    ]
    assert {score for score in scored.columns if scored.schema[score] == pl.Boolean} == {
        "boolean_2011", "boolean_2022", "mda", "vlda", "near_cutoff", "subjective_only"
    }  # fmt: skip
    assert {name.removesuffix("_band") for name in scored.columns if name.endswith("_band")} == set(FORMULAS)
    assert {scored.schema[name] for name in FORMULAS} == {pl.Float64}


def test_the_columns_that_are_looked_at_are_enough_for_every_score() -> None:
    low = {name: 1 if isinstance(ends[0], int) else 0.7 for name, ends in RANGES.items()}
    visits = complete(one_visit({**low, "haq_di": None}), "visits").with_columns(haq_di_used=0.4)
    looked_at = visits.select(name for name in visit_columns() if name in visits.columns)
    scored = score_visits(visits)
    assert looked_at.width < visits.width - 20
    assert scored.select(NUMERIC).null_count().sum_horizontal().item() == 0
    assert scored["vlda"].item()
    assert score_visits(looked_at).equals(scored)


def test_the_words_of_a_registry_are_numbers_in_their_order_and_say_the_same() -> None:
    visits = frame("""
        patient_id | visit_date | tjc28 | sjc28 | patient_global_mm | crp_mg_l
        A          | 2023-01-01 | 1     | 1     | 20                | 3
        A          | 2023-02-01 | 9     | 8     | 70                | 30
        A          | 2023-03-01 | 9     |       | 70                | 30
    """)
    labs = frame("patient_id | sample_date | test | value\nA | 2023-02-01 | esr | 20")
    numbered = score_visits(visits, labs, as_text=False)
    bands = load_score_settings().bands_of("das28_crp")
    assert numbered.schema["das28_crp_band"] == pl.Enum([edge.band for edge in bands])
    assert numbered.with_columns(cs.enum().cast(pl.String)).equals(score_visits(visits, labs))
    assert numbered["das28_crp_band"].to_list() == ["remission", "high", None]


@pytest.mark.parametrize("diseases", [["RA"], ["PsA"], ["RA", "PsA"], [None], []])
def test_the_scores_of_a_disease_are_computed_for_its_patients_and_typed_where_nobody_has_it(
    diseases: list[str | None],
) -> None:
    visits = frame("""
        patient_id | visit_date | tjc68 | sjc66 | patient_global_mm | pain_mm
        A          | 2023-01-01 | 2     | 3     | 20                | 30
        B          | 2023-01-01 | 2     | 3     | 20                | 30
        B          | 2023-02-01 | 4     | 3     | 20                | 30
    """)
    patients = pl.DataFrame(
        {"patient_id": ["A", "B"][: len(diseases)], "disease": pl.Series(diseases, dtype=pl.String)}
    )
    scored = score_visits(visits, None, patients)
    disease = dict(zip("AB", [*diseases, None, None], strict=False))
    wanted = [
        score if disease[patient] == "PsA" else None
        for patient, score in zip("ABB", [10.0, 10.0, 12.0], strict=True)
    ]
    assert scored["cdapsa"].to_list() == wanted
    assert scored.schema == score_visits(visits).schema


def test_no_visit_gives_no_row_and_the_same_columns() -> None:
    visits = frame("patient_id | visit_date | tjc28\nA | 2023-01-01 | 1")
    assert score_visits(visits.clear()).schema == score_visits(visits).schema


def test_the_scores_wanted_can_be_named() -> None:
    visits = frame("patient_id | visit_date\nA | 2023-01-01")
    columns = score_visits(visits, scores=["cdai", "mda"]).columns
    assert columns[:5] == ["patient_id", "visit_date", "cdai", "cdai_band", "mda"]
    assert "das28_esr" not in columns


def test_an_unknown_score_is_an_error_that_names_the_nearest() -> None:
    visits = frame("patient_id | visit_date\nA | 2023-01-01")
    with pytest.raises(StudyError, match="no score 'das28_esp', did you mean 'das28_esr'"):
        score_visits(visits, scores=["das28_esp"])


def test_a_score_of_the_settings_that_no_module_computes_is_an_error() -> None:
    shipped = setting("scores")["scores"]
    with pytest.raises(StudyError, match="no score 'das44'"):
        score_visits(
            frame("patient_id | visit_date\nA | 2023-01-01"),
            scores={"scores": {**shipped, "das44": shipped["cdai"]}},
        )


def test_the_band_scheme_of_a_score_is_a_setting() -> None:
    visits = frame("""
        patient_id | visit_date | tjc28 | sjc28 | patient_global_mm | crp_mg_l
        A          | 2023-01-01 | 1     | 1     | 20                | 3
    """)  # DAS28-CRP 2.5791, worked example D03
    shipped = setting("scores")["scores"]
    changed = {"scores": {**shipped, "das28_crp": {**shipped["das28_crp"], "bands": "das28_crp_specific"}}}
    assert score_visits(visits)["das28_crp_band"].to_list() == ["remission"]
    assert score_visits(visits, scores=changed)["das28_crp_band"].to_list() == ["low"]


@pytest.mark.parametrize(
    ("bands", "complaint"),
    [
        ([{"band": "a", "below": 3}, {"band": "b", "up_to": 2}, {"band": "c"}], "do not ascend"),
        ([{"band": "a", "below": 3}, {"band": "b", "up_to": 4}], "the last has no edge"),
        ([{"band": "a"}, {"band": "b"}], "every band but the last"),
        ([{"band": "a", "above": 3}, {"band": "b"}], "every band but the last"),
        ([{"band": "a", "belov": 3}, {"band": "b"}], "unknown key"),
    ],
)
def test_a_faulty_scheme_is_an_error_in_words(bands: list[dict[str, object]], complaint: str) -> None:
    schemes = {**setting("scores")["schemes"], "mine": {"bands": bands, "source": "none"}}
    with pytest.raises(StudyError, match=complaint):
        load_score_settings({"schemes": schemes})


@pytest.mark.parametrize(
    ("faulty", "complaint"),
    [
        ({"bands": "das28_eulra"}, "no scheme of that name: das28_eulra"),
        ({"formula": None}, "a `formula`, or `items`"),
        ({"items": [{"tjc28": {"up_to": 1}}]}, "a `formula`, or `items`"),
    ],
)
def test_a_faulty_score_is_an_error_in_words(faulty: dict[str, object], complaint: str) -> None:
    shipped = setting("scores")["scores"]
    with pytest.raises(StudyError, match=complaint):
        load_score_settings({"scores": {**shipped, "das28_esr": {**shipped["das28_esr"], **faulty}}})

"""Disease-activity scores: what a clinician may check by hand, on the edge of every band."""

from __future__ import annotations

import polars as pl
import pytest

from d2tra.scores import eular_response, load_score_settings, score_visits
from d2tra.scores.bands import band
from tables import frame

VISIT = """
    patient_id | visit_date | tjc28 | sjc28 | tjc68 | sjc66 | patient_global_mm | physician_global_mm | pain_mm | esr_mm_h | crp_mg_l
    A          | 2023-01-01 | 4     | 2     | 10    | 5     | 60                | 40                  | 60      | 44       | 10
"""
RA = frame("patient_id | disease\nA | RA")
PSA = frame("patient_id | disease\nA | PsA")
BANDED = ["das28_esr", "das28_crp", "das28_esr_3v", "das28_crp_3v", "cdai", "sdai", "dapsa", "cdapsa"]


def visit(**changes: object) -> pl.DataFrame:
    return frame(VISIT).with_columns(**{name: pl.lit(value) for name, value in changes.items()})


def without(column: str) -> pl.DataFrame:
    return frame(VISIT).with_columns(pl.lit(None).cast(frame(VISIT).schema[column]).alias(column))


@pytest.mark.parametrize(
    ("score", "edges"),
    [
        *((score, "2.6 low | 3.2 low | 5.1 moderate") for score in BANDED[:4]),
        ("cdai", "2.8 remission | 10 low | 22 moderate"),
        ("sdai", "3.3 remission | 11 low | 26 moderate"),
        ("dapsa", "4 remission | 14 low | 28 moderate"),
        ("cdapsa", "4 remission | 13 low | 27 moderate"),
        ("rapid3", "3 near-remission | 6 low | 12 moderate"),
        ("pasdas", "1.9 near-remission | 3.2 low | 5.4 high"),
    ],
)
def test_a_score_on_the_edge_of_a_band_falls_where_the_specification_says(score: str, edges: str) -> None:
    numbers, expected = zip(*(edge.split() for edge in edges.split(" | ")), strict=True)
    scores = pl.DataFrame({"score": [float(number) for number in numbers]})
    bands = load_score_settings().bands_of(score)
    assert scores.select(state=band(pl.col("score"), bands))["state"].to_list() == list(expected)


@pytest.mark.parametrize(
    ("edge", "states"),
    [
        (2.4, "low"),
        (2.3999, "remission"),
        (2.9, "low"),
        (2.9001, "moderate"),
        (4.6, "moderate"),
        (4.6001, "high"),
    ],
)
def test_the_crp_specific_scheme_has_its_own_edges(edge: float, states: str) -> None:
    bands = load_score_settings().schemes["das28_crp_specific"].bands
    assert pl.DataFrame({"x": [edge]}).select(s=band(pl.col("x"), bands))["s"].to_list() == [states]


def test_cdai_of_exactly_10_is_low_although_binary_arithmetic_may_lie_above() -> None:
    edge = visit(tjc28=3, sjc28=2, patient_global_mm=27.1, physician_global_mm=22.9)
    assert score_visits(edge)["cdai_band"].to_list() == ["low"]


def test_globals_count_in_cm_and_crp_in_mg_per_dl() -> None:
    scored = score_visits(visit()).row(0, named=True)
    assert scored["cdai"] == pytest.approx(4 + 2 + 6 + 4)
    assert scored["sdai"] == pytest.approx(4 + 2 + 6 + 4 + 1)
    assert scored["dapsa"] == pytest.approx(10 + 5 + 6 + 6 + 1)
    assert scored["cdapsa"] == pytest.approx(10 + 5 + 6 + 6)


@pytest.mark.parametrize("esr", [0.0, 0.5, 1.0])
def test_an_esr_below_1_counts_as_1_in_the_logarithm(esr: float) -> None:
    quiet = visit(tjc28=0, sjc28=0, patient_global_mm=0, esr_mm_h=esr)
    assert score_visits(quiet).select("das28_esr", "das28_esr_3v", "esr_mm_h_used").rows() == [
        (0.0, 0.16, esr)
    ]


@pytest.mark.parametrize(
    ("missing", "scores"),
    [
        ("tjc28", "das28_esr das28_crp das28_esr_3v das28_crp_3v cdai sdai"),
        ("sjc28", "das28_esr das28_crp das28_esr_3v das28_crp_3v cdai sdai"),
        ("esr_mm_h", "das28_esr das28_esr_3v"),
        ("crp_mg_l", "das28_crp das28_crp_3v sdai dapsa"),
        ("patient_global_mm", "das28_esr das28_crp cdai sdai dapsa cdapsa"),
        ("physician_global_mm", "cdai sdai"),
        ("tjc68", "dapsa cdapsa"),
        ("sjc66", "dapsa cdapsa"),
        ("pain_mm", "dapsa cdapsa"),
    ],
)
def test_a_missing_component_makes_the_score_missing_and_its_band_too(missing: str, scores: str) -> None:
    scored = score_visits(without(missing)).row(0, named=True)
    assert {score for score in BANDED if scored[score] is None} == set(scores.split())
    assert {score for score in BANDED if scored[f"{score}_band"] is None} == set(scores.split())


def test_the_3_variable_das28_never_stands_in_for_the_4_variable_one() -> None:
    scored = score_visits(without("patient_global_mm")).row(0, named=True)
    assert scored["das28_esr"] is None
    assert scored["das28_esr_3v"] == pytest.approx(4.6581, abs=5e-5)  # worked example D05


@pytest.mark.parametrize(
    ("tjc28", "sjc28", "crp_mg_l", "patient_global_mm", "remission_2011", "remission_2022"),
    [
        (1, 1, 10.0, 10.0, True, True),
        (1, 1, 10.0, 10.1, False, True),
        (1, 1, 10.0, 20.0, False, True),
        (1, 1, 10.0, 20.1, False, False),
        (1, 1, 10.1, 10.0, False, False),
        (None, 2, None, None, False, False),  # one known failure is enough
        (1, 1, 10.0, None, None, None),
        (1, None, 10.0, 15.0, False, None),
    ],
)
def test_boolean_remission_needs_all_four_items(
    tjc28: int | None, sjc28: int | None, crp_mg_l: float | None, patient_global_mm: float | None,
    remission_2011: bool | None, remission_2022: bool | None,
) -> None:  # fmt: skip
    row = frame("patient_id | visit_date\nA | 2023-01-01").with_columns(
        tjc28=pl.lit(tjc28),
        sjc28=pl.lit(sjc28),
        crp_mg_l=pl.lit(crp_mg_l),
        patient_global_mm=pl.lit(patient_global_mm),
    )
    assert score_visits(row).select("boolean_2011", "boolean_2022").rows() == [
        (remission_2011, remission_2022)
    ]


MDA_COLUMNS = [
    "tjc68",
    "sjc66",
    "pasi",
    "skin_bsa_percent",
    "pain_mm",
    "patient_global_mm",
    "haq_di",
    "enthesitis_count",
]


@pytest.mark.parametrize(
    ("items", "mda", "vlda"),
    [
        ("1 1 1 - 15 20 0.5 1", True, True),  # every item on its limit
        ("1 1 - 3 15 20 0.5 1", True, True),
        ("1 1 1.1 3 15 20 0.5 1", True, True),  # either skin measure is enough
        ("1 1 1.1 3.1 15.1 20 0.5 1", True, False),  # 5 of 7
        ("1 1 1.1 3.1 15.1 20.1 0.5 1", False, False),  # 4 of 7
        ("1 1 1 - 15 - - -", None, None),  # 4 met, none failed
        ("1 1 1 - 15 20 - -", True, None),
        ("2 2 - - - - - -", None, False),  # 2 failed
        ("2 2 - - 16 - - -", False, False),  # 3 failed
        ("1 1 5 - 16 21 0.5 1", False, False),  # PASI fails and BSA is missing: the skin item is not met
        ("1 1 - 4 16 21 0.5 1", False, False),  # BSA fails and PASI is missing
        ("1 1 - - 16 21 0.5 1", None, False),  # both missing: the skin item is unknown
        ("1 1 5 4 16 21 0.5 1", False, False),
        ("- - - - - - - -", None, None),
    ],
)
def test_minimal_disease_activity_is_known_once_the_missing_items_cannot_change_it(
    items: str, mda: bool | None, vlda: bool | None
) -> None:
    row = (
        pl.DataFrame({"patient_id": ["A"]})
        .with_columns(
            pl.date(2023, 1, 1).alias("visit_date"),
            *(
                pl.lit(None if text == "-" else float(text), dtype=pl.Float64).alias(column)
                for column, text in zip(MDA_COLUMNS, items.split(), strict=True)
            ),
        )
        .with_columns(pl.col("tjc68", "sjc66", "enthesitis_count").cast(pl.Int64))
    )
    assert score_visits(row).select("mda", "vlda").rows() == [(mda, vlda)]


def test_scores_of_psoriatic_arthritis_are_missing_for_other_patients() -> None:
    complete_visit = visit(pasi=0.5, haq_di=0.25, enthesitis_count=0)
    only_psa = ["dapsa", "cdapsa", "mda", "dapsa_band", "cdapsa_band"]
    for_ra, for_psa, for_all = (
        score_visits(complete_visit, patients=patients) for patients in (RA, PSA, None)
    )
    assert for_ra.select(only_psa).row(0) == (None,) * 5
    assert for_psa.select(only_psa).equals(for_all.select(only_psa))
    assert None not in for_psa.select(only_psa).row(0)
    assert for_ra["das28_esr"].equals(for_psa["das28_esr"])


def test_a_visit_whose_patient_is_unknown_is_kept_without_scores_of_psoriatic_arthritis() -> None:
    stranger = score_visits(visit(patient_id="B"), patients=PSA)
    assert stranger.select("patient_id", "dapsa").rows() == [("B", None)]
    assert stranger["cdai"].null_count() == 0


@pytest.mark.parametrize(
    ("global_mm", "near"),
    # TJC 0, SJC 0, ESR 20: DAS28-ESR = 2.0970 + 0.014 × global
    [
        (39.5, False),
        (39.4, True),
        (32.4, True),
        (32.3, False),
    ],  # 2.6500, 2.6486, 2.5506, 2.5492 (cut-off 2.6)
)
def test_a_das28_within_less_than_0_05_of_a_cut_off_is_flagged(global_mm: float, near: bool) -> None:
    row = visit(tjc28=0, sjc28=0, esr_mm_h=20, patient_global_mm=global_mm).drop("crp_mg_l")
    assert score_visits(row)["near_cutoff"].to_list() == [near]


def test_nearness_is_unknown_without_any_das28_and_judged_on_the_one_there_is() -> None:
    assert score_visits(without("tjc28"))["near_cutoff"].to_list() == [None]
    assert score_visits(without("esr_mm_h"))["near_cutoff"].null_count() == 0


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"sjc28": 0}, True),
        ({"sjc28": 0, "crp_mg_l": 10.1}, False),
        ({"sjc28": 1}, False),
        ({"sjc28": 0, "tjc28": 0, "patient_global_mm": 0}, False),  # DAS28 2.65
        ({"sjc28": 0, "crp_mg_l": None}, None),
    ],
)
def test_activity_without_swelling_and_with_normal_crp_is_flagged(
    changes: dict[str, object], flag: bool | None
) -> None:
    assert score_visits(visit(**changes))["subjective_only"].to_list() == [flag]


@pytest.mark.parametrize(
    ("earlier", "later", "response"),
    [
        (4.4, 3.2, "moderate"),  # a fall of exactly 1.2
        (4.4001, 3.2, "good"),
        (4.4002, 3.2001, "moderate"),
        (5.7, 5.1, "none"),  # a fall of exactly 0.6
        (5.7001, 5.1, "moderate"),
        (6.3002, 5.1001, "moderate"),
        (6.3001, 5.1001, "none"),
        (None, 3.0, None),
        (4.0, None, None),
    ],
)
def test_eular_response_on_the_edges_of_fall_and_level(
    earlier: float | None, later: float | None, response: str | None
) -> None:
    row = pl.DataFrame(
        {"earlier": [earlier], "later": [later]}, schema={"earlier": pl.Float64, "later": pl.Float64}
    )
    assert row.select(r=eular_response(pl.col("earlier"), pl.col("later")))["r"].to_list() == [response]

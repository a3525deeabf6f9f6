"""Every worked example of the clinical reference: the value to 4 decimals, and the state."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from d2tra.errors import StudyError
from d2tra.extract.schemas import complete
from d2tra.scores import eular_response, index_response, load_score_settings, score_visits
from d2tra.scores.asdas import asdas_crp, asdas_esr
from d2tra.scores.bands import band, rounded

EXAMPLES = pl.read_csv(
    Path(__file__).parents[1] / "data" / "worked_examples.csv", comment_prefix="#", infer_schema=False
).with_columns(expected_state=pl.col("expected_state").replace("", None))
ASDAS = {"ASDAS-CRP": asdas_crp(), "ASDAS-ESR": asdas_esr()}
FORMULAS = {
    "DAS28-ESR4": "das28_esr",
    "DAS28-ESR3": "das28_esr_3v",
    "DAS28-CRP4": "das28_crp",
    "DAS28-CRP3": "das28_crp_3v",
    "CDAI": "cdai",
    "SDAI": "sdai",
    "RAPID3": "rapid3",
    "DAPSA": "dapsa",
    "cDAPSA": "cdapsa",
    "PASDAS": "pasdas",
}
OTHERS = ["DAS28-state", "HAQ-DI", "Boolean", "EULAR-response", "MDA"]
# their name → our column, and what turns their unit into ours
COLUMNS = {
    "gh_mm": ("patient_global_mm", 1),
    "ptga_mm": ("patient_global_mm", 1),
    "ptga_cm": ("patient_global_mm", 10),
    "ptga_0_10": ("patient_global_mm", 10),
    "phga_mm": ("physician_global_mm", 1),
    "phga_cm": ("physician_global_mm", 10),
    "pain_cm": ("pain_mm", 10),
    "pain_0_10": ("pain_mm", 10),
    "bsa_pct": ("skin_bsa_percent", 1),
    "haq": ("haq_di", 1),
    "entheses": ("enthesitis_count", 1),
    "lei": ("lei_count", 1),
}
HAQ_CATEGORIES = ["dressing", "arising", "eating", "walking", "hygiene", "reach", "grip", "activities"]
WHOLE = [
    "tjc28",
    "sjc28",
    "tjc68",
    "sjc66",
    "mdhaq_sum",
    "enthesitis_count",
    "lei_count",
    "tender_dactylitis",
]


def examples(score: str) -> pl.DataFrame:
    return EXAMPLES.filter(pl.col("score") == score)


def pairs(text: str) -> dict[str, str]:
    return dict(part.split("=") for part in text.split(";"))


def number(text: str) -> float | None:
    return None if text in ("NA", "None") else float(text)


def visits_of(score: str) -> pl.DataFrame:
    """One visit per worked example; the case is the patient."""
    rows = []
    for case, inputs in examples(score).select("case", "inputs").iter_rows():
        row: dict[str, object] = {"patient_id": case, "visit_date": "2023-01-01"}
        for name, text in pairs(inputs).items():
            column, factor = COLUMNS.get(name, (name, 1))
            value = number(text)
            row[column] = None if value is None else value * factor
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.col("visit_date").str.to_date(), pl.col("^(" + "|".join(WHOLE) + ")$").cast(pl.Int64)
    )


def in_words(verdict: bool | None) -> str:
    return {True: "yes", False: "no", None: "unknown"}[verdict]


def test_the_file_holds_the_190_examples_and_every_one_of_them_is_tested() -> None:
    assert EXAMPLES.height == 190
    assert set(EXAMPLES["score"]) == {*FORMULAS, *OTHERS, *ASDAS}


@pytest.mark.parametrize("score", FORMULAS)
def test_a_score_agrees_with_its_worked_examples_in_value_and_state(score: str) -> None:
    column = FORMULAS[score]
    scored = score_visits(visits_of(score))
    computed = scored.select("patient_id", rounded(pl.col(column)), f"{column}_band").rows()
    expected = examples(score).select("case", pl.col("expected").cast(pl.Float64), "expected_state").rows()
    assert computed == expected


@pytest.mark.parametrize(
    ("name", "scheme"), [("eular", "das28_eular"), ("acr2012", "das28_acr2012"), ("nice", "das28_nice")]
)
def test_a_scheme_puts_a_das28_on_the_edge_where_its_source_puts_it(name: str, scheme: str) -> None:
    cases = examples("DAS28-state")
    das28 = pl.Series([number(pairs(inputs)["das28"]) for inputs in cases["inputs"]])
    bands = load_score_settings().schemes[scheme].bands
    computed = das28.to_frame("das28").select(band(pl.col("das28"), bands))["literal"].to_list()
    assert computed == [pairs(expected)[name] for expected in cases["expected"]]


def test_das28_counts_as_active_only_above_3_2() -> None:
    cases = examples("DAS28-state")
    das28 = pl.DataFrame({"das28": [number(pairs(inputs)["das28"]) for inputs in cases["inputs"]]})
    state = band(pl.col("das28"), load_score_settings().bands_of("das28_esr"))
    active = das28.select(active=state.is_in(["moderate", "high"]))["active"]
    assert [in_words(a) for a in active] == [pairs(expected)["d2t_2a"] for expected in cases["expected"]]


def test_boolean_remission_agrees_with_its_worked_examples() -> None:
    scored = score_visits(visits_of("Boolean"))
    computed = [
        f"2011={in_words(a)};2022={in_words(b)}"
        for a, b in scored.select("boolean_2011", "boolean_2022").rows()
    ]
    assert computed == examples("Boolean")["expected"].to_list()


def test_minimal_and_very_low_disease_activity_agree_with_their_worked_examples() -> None:
    scored = score_visits(visits_of("MDA"))
    computed = [f"mda={in_words(a)};vlda={in_words(b)}" for a, b in scored.select("mda", "vlda").rows()]
    assert computed == [expected.split(";", 1)[1] for expected in examples("MDA")["expected"]]


@pytest.mark.parametrize("score", ASDAS)
def test_asdas_agrees_with_its_worked_examples_in_value_and_state(score: str) -> None:
    names = {
        "backpain": "back_pain",
        "esr": "esr_mm_h",
        "ptga": "patient_global_cm",
        "peripheral": "peripheral_pain",
    }
    cases = examples(score)
    rows = [{names.get(k, k): number(v) for k, v in pairs(inputs).items()} for inputs in cases["inputs"]]
    scored = pl.DataFrame(rows).select(asdas=ASDAS[score])
    states = scored.select(band(pl.col("asdas"), load_score_settings().schemes["asdas"].bands)).to_series()
    computed = scored.select(rounded(pl.col("asdas"))).to_series()
    assert computed.to_list() == [float(expected) for expected in cases["expected"]]
    assert states.to_list() == cases["expected_state"].to_list()


@pytest.mark.parametrize(
    ("score", "later", "response"),
    [
        ("cdai", 20.0, "minor"), ("cdai", 20.1, "none"), ("sdai", 12.0, "moderate"), ("sdai", 12.1, "minor"),
        ("cdai", 6.0, "major"), ("cdai", 6.1, "moderate"), ("dapsa", 10.0, "moderate"), ("dapsa", 10.1, "minor"),
        ("dapsa", 6.0, "major"), ("cdai", 41.0, "none"), ("cdai", None, None),
    ],
)  # fmt: skip
def test_an_index_responds_by_the_share_it_falls_from_40(
    score: str, later: float | None, response: str | None
) -> None:
    visits = pl.DataFrame(
        {"earlier": [40.0], "later": [later]}, schema={"earlier": pl.Float64, "later": pl.Float64}
    )
    assert visits.select(index_response(score, pl.col("earlier"), pl.col("later"))).item() == response


def test_nothing_can_fall_from_0_and_das28_has_its_own_response() -> None:
    assert pl.select(index_response("cdai", pl.lit(0.0), pl.lit(0.0))).item() is None
    with pytest.raises(StudyError, match="Known: cdai, sdai, dapsa"):
        index_response("das28_esr", pl.lit(4.0), pl.lit(2.0))


def test_eular_response_agrees_with_its_worked_examples() -> None:
    cases = examples("EULAR-response")
    das28 = pl.DataFrame([{k: number(v) for k, v in pairs(inputs).items()} for inputs in cases["inputs"]])
    computed = das28.select(response=eular_response(pl.col("baseline"), pl.col("current")))["response"]
    assert computed.to_list() == cases["expected"].to_list()


def test_haq_di_from_its_categories_agrees_with_its_worked_examples() -> None:
    cases = examples("HAQ-DI")
    rows = []
    for case, inputs in cases.select("case", "inputs").iter_rows():
        given = {name: text.split(",") for name, text in pairs(inputs).items()}
        scores = {f"haq_{c}": number(v) for c, v in zip(HAQ_CATEGORIES, given["categories"], strict=True)}
        aids = {f"haq_{c}_aid": v == "1" for c, v in zip(HAQ_CATEGORIES, given["aid_or_help"], strict=True)}
        rows.append({"patient_id": case, "visit_date": "2023-01-01", **scores, **aids})
    visits = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.col("visit_date").str.to_date(), pl.col([f"haq_{c}" for c in HAQ_CATEGORIES]).cast(pl.Int64)
    )
    computed = complete(visits, "visits").select(rounded(pl.col("haq_di_used")))["haq_di_used"]
    assert computed.to_list() == [None if e == "missing" else float(e) for e in cases["expected"]]

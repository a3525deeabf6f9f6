"""The tables of models: side by side, told as risks, by cohort; what they must say, and what must vanish with a small count."""

import math
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from test_tables import complete_members, results

from d2tra.disclosure import disclose, load_profile
from d2tra.models import ModelPlan, fit_models
from d2tra.tables import TABLES, Table
from d2tra.tables.cells import format_cell, formatted
from d2tra.tables.odds_ratios_by_cohort import cohorts_apart, ratio_of_odds_ratios
from tables import frame

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
OPENSAFELY = load_profile("opensafely")
MODEL_TABLES = ("odds_ratios", "odds_ratios_by_cohort", "risk_effects")
TITLES = {"univariable": "Univariable", "risk_factors": "Multivariable"}
FACTORS = {"seropositive": "seropositive_both", "obesity": "obese", "fibromyalgia": "fibromyalgia"}
Fits = tuple[dict[str, pl.DataFrame], dict[str, dict]]


@cache
def cohort(file: str) -> pl.DataFrame:
    """A reference cohort as an analysis set of an audit."""
    data = pl.read_csv(REFERENCE / file).rename(FACTORS)
    factors = [pl.col(name).cast(pl.Boolean) for name in FACTORS.values()]
    status = pl.when(pl.col("d2t") == 1).then(pl.lit("met")).otherwise(pl.lit("not_met"))
    known = data.select(
        *factors,
        age_at_baseline=pl.lit(50.0) if "age" not in data.columns else pl.col("age"),
        eular_2021=status,
    )
    others = complete_members().drop(known.columns).head(1).select(pl.all().repeat_by(known.height).explode())
    return pl.concat([known, others], how="horizontal").with_columns(
        patient_id=pl.format("{}-{}", pl.lit(file), pl.int_range(pl.len())), eular_2021_hangs_on_presumed=pl.lit(False)
    )  # fmt: skip


@cache
def fitted(file: str) -> Fits:
    """The rows and facts of a univariable and a multivariable model of the cohort."""
    rows, facts = {}, {}
    for name, kind in (("univariable", "univariable"), ("risk_factors", "multivariable")):
        plan = ModelPlan(
            name=name, kind=kind, method="auto", above_budget="report_as_exploratory",
            factors=[*FACTORS.values(), {"name": "age_at_baseline", "unit_step": 10}],
        )  # fmt: skip
        rows[name], told = fit_models(cohort(file), plan, "eular_2021")
        facts[name] = {"eular_2021": told}
    return rows, facts


def built(name: str, file: str = "cohort95_regular3.csv", **changes) -> Table:
    rows, facts = fitted(file)
    given = {"models": rows, "facts": facts, "model_titles": TITLES, "analysis_set": cohort(file)}
    return TABLES[name](results(**{**given, **changes}))


def side_by_side(**changes) -> Table:
    """The table of a study whose cohorts are the reference's 95, its 722, and its 722 again."""
    earlier = {"audit": fitted("cohort95_regular3.csv")[0], "extension": fitted("cohort722.csv")[0]}
    given = {"cohort": "full", "earlier": earlier, "apart": (("audit", "extension"),)}
    return built("odds_ratios_by_cohort", "cohort722.csv", **{**given, **changes})


def at(table: Table, row: str, column: str, level: str | None = None) -> dict:
    found = table.cells.filter(
        (pl.col("row") == row) & (pl.col("column") == column) & pl.col("level").eq_missing(level)
    )
    return found.row(0, named=True)


@pytest.mark.parametrize("profile", ["local_audit", "opensafely", "acro"])
@pytest.mark.parametrize("name", ["odds_ratios", "risk_effects"])
def test_at_12_in_95_no_multivariable_number_stands_without_the_word_exploratory(
    name: str, profile: str
) -> None:
    table = built(name)
    cells = disclose(table.cells, load_profile(profile))
    headings = {*cells["column"], *cells["row"]}
    assert all("(exploratory)" in heading for heading in headings if "Multivariable" in heading)
    assert any("Multivariable (exploratory)" in heading for heading in headings)
    assert any(note.startswith("Exploratory: the multivariable model has more") for note in table.footnotes)


def test_within_its_budget_a_multivariable_model_is_not_called_exploratory() -> None:
    table = built("odds_ratios", "cohort722.csv")
    assert "Multivariable" in table.cells["column"].to_list()
    assert "exploratory" not in " ".join([*table.cells["column"], *table.footnotes]).lower()


def test_univariable_and_multivariable_stand_side_by_side_each_with_its_patients_and_budget() -> None:
    table = built("odds_ratios")
    columns = [name for name in formatted(table.cells).columns if name not in ("row", "level")]
    assert columns[:5] == [
        "Met / patients",
        "Univariable",
        "Univariable, p",
        "Multivariable (exploratory)",
        "Multivariable (exploratory), p",
    ]
    budget = "Parameters that these events can bear (Riley)"
    assert [at(table, budget, column)["estimate"] for column in (columns[0], columns[3])] == [0, 0]
    complete = at(table, "Complete cases of the model", columns[3])
    assert (complete["n"], complete["total"]) == (12, 95)
    assert at(table, "Parameters of the model", columns[3])["estimate"] == 3  # age is the same in everybody


def test_a_separated_odds_ratio_above_1000_is_never_printed_without_the_word() -> None:
    cell = {"kind": "estimate", "estimate": 9.0, "low": 0.3, "high": 1500.0, "note": "separated; exploratory"}
    assert format_cell(cell) == "9.00 (0.30–1500.00) separated"
    assert format_cell({**cell, "note": None}) == "9.00 (0.30–1500.00)"
    for name in MODEL_TABLES[:2]:
        cells = separated(name).cells.filter(pl.col("note").str.contains("separated"), kind="estimate")
        assert cells.height
        assert all(format_cell(cell).endswith(" separated") for cell in cells.iter_rows(named=True))


def separated(name: str) -> Table:
    rows = fitted("cohort95_zero_cell.csv")[0]
    return built(name, "cohort95_zero_cell.csv", earlier={"audit": rows}, cohort="full")


def test_separated_data_have_no_risks_and_no_ratio_and_say_so() -> None:
    risks = built("risk_effects", "cohort95_zero_cell.csv")
    cell = at(risks, "Univariable", "Risk ratio", "Seropositive (RF and anti-CCP)")
    assert (cell["estimate"], "separated" in cell["note"]) == (None, True)
    rows = {"term": "x", "estimate": 1.0, "std_error": 0.5, "note": "separated"}
    assert ratio_of_odds_ratios(rows, {**rows, "note": None}) is None
    assert ratio_of_odds_ratios({**rows, "note": None}, {**rows, "estimate": None, "std_error": None}) is None


def test_the_ratio_of_two_odds_ratios_adds_their_variances() -> None:
    """By hand: 4 ÷ 2 = 2; √(0.3² + 0.4²) = 0.5; 2 · exp(±1.959964 · 0.5) = 0.7506, 5.3288."""
    later = {"estimate": math.log(4), "std_error": 0.3, "note": None}
    earlier = {"estimate": math.log(2), "std_error": 0.4, "note": "exploratory"}
    assert ratio_of_odds_ratios(later, earlier) == pytest.approx((2, 0.750636, 5.328817), abs=1e-5)


def test_cohorts_are_apart_only_where_no_patient_of_the_same_site_is_in_both() -> None:
    audit = frame("site | patient_id\nnorth | A\nnorth | B")
    extension = frame("site | patient_id\nnorth | C\nsouth | A")
    full = pl.concat([audit, extension])
    found = cohorts_apart({"audit": audit, "extension": extension, "full": full})
    assert found == (("audit", "extension"),)


def test_each_factor_shows_every_cohort_and_the_ratio_of_those_that_share_no_patient() -> None:
    table = side_by_side()
    columns = table.cells["column"].unique(maintain_order=True).to_list()
    assert [name for name in columns if name.endswith("odds ratio")] == [
        f"{name}: odds ratio" for name in ("audit", "extension", "full")
    ]
    assert [name for name in columns if name.startswith("Ratio")] == [
        "Ratio of odds ratios, extension ÷ audit"
    ]
    for section in ("Univariable", "Multivariable (exploratory in audit)"):
        cells = [
            at(table, section, f"{name}: odds ratio", "Fibromyalgia")
            for name in ("audit", "extension", "full")
        ]
        assert all(cell["low"] < cell["estimate"] < cell["high"] for cell in cells)
        ratio = at(table, section, "Ratio of odds ratios, extension ÷ audit", "Fibromyalgia")
        assert ratio["estimate"] == pytest.approx(cells[1]["estimate"] / cells[0]["estimate"])
        assert ratio["smallest"] == min(cells[0]["smallest"], cells[1]["smallest"])
        counts = at(table, section, "audit: met / patients", "Fibromyalgia")
        assert 0 < counts["n"] < counts["total"] < 95
    assert "Age, years: per 10" in table.cells["level"].to_list()


def test_cohorts_that_overlap_have_no_ratio() -> None:
    assert not side_by_side(apart=()).cells["column"].str.starts_with("Ratio").any()


def test_the_first_cohort_of_a_study_has_no_table_of_cohorts_side_by_side() -> None:
    assert built("odds_ratios_by_cohort").cells.is_empty()


@pytest.mark.parametrize("name", MODEL_TABLES)
def test_the_fixed_footnote_stands_in_every_table_of_models(name: str) -> None:
    table = side_by_side() if name == "odds_ratios_by_cohort" else built(name)
    assert any(note.startswith("Fibromyalgia raises the tender joint count") for note in table.footnotes)
    assert any("index date" in note for note in table.footnotes)


@pytest.mark.parametrize("name", MODEL_TABLES)
def test_with_a_small_count_every_number_and_note_of_its_term_is_held_back(name: str) -> None:
    """A note is planted beside every estimate of the 95: each of their factors has a level with 1 to 7 events."""
    rows, facts = fitted("cohort95_regular3.csv")
    noted = {model: _noted(found) for model, found in rows.items()}
    told = {model: {"eular_2021": _noted_facts(found["eular_2021"])} for model, found in facts.items()}
    table = built(name, models=noted, facts=told, earlier={"before": noted})
    released = disclose(table.cells, OPENSAFELY)
    factor = pl.col("row").is_in(["Obese (BMI 30 or above)", "Fibromyalgia"]) | pl.col("level").is_in(
        ["Obese (BMI 30 or above)", "Fibromyalgia"]
    )
    notes = released.filter(factor, pl.col("column") == "Note")
    assert notes.height >= 2
    assert notes["text"].null_count() == notes.height
    is_number = pl.col("kind").is_in(["estimate", "p_value", "number"]) & (pl.col("level") != "no")
    numbers = released.filter(factor, is_number)
    assert numbers["estimate"].null_count() == numbers.height
    assert numbers["note"].unique().to_list() == ["suppressed"]


def _noted(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(
        note=pl.when(pl.col("note").ne_missing("reference")).then(pl.lit("8 of 9")).otherwise("note")
    )


def _noted_facts(facts: dict) -> dict:
    noted = [{**effect, "note": "8 of 9"} for effect in facts.get("effects", [])]
    terms = {name: _noted_facts(term) for name, term in facts.get("terms", {}).items()}
    return {**facts, "effects": noted, **({"terms": terms} if terms else {})}


def test_a_note_is_held_back_with_the_smallest_term_that_it_speaks_of() -> None:
    rows = {
        model: frame(f"""
            definition | term  | level    | reference | n  | n_events | method | odds_ratio | ci_low | ci_high | p_value | note   | smallest_cell
            eular_2021 | obese | overt    | none      | 60 | 30       | firth  | 2.0        | 1.1    | 4.0     | 0.02    | {note} | {smallest}
        """)
        for model, note, smallest in (("univariable", "odd", 20), ("risk_factors", "separated", 3))
    }  # fmt: skip
    note = at(built("odds_ratios", models=rows), "Obese (BMI 30 or above)", "Note", "overt v none")
    assert (note["text"], note["smallest"]) == ("Univariable: odd; Multivariable: separated", 3)


def test_how_imputed_sets_were_pooled_stands_in_the_footnote_on_methods_not_beside_a_term() -> None:
    said = (
        "separated; imputed (m = 20), pooled by clip; exploratory: 4 parameters above the budget of 0 (Riley)"
    )
    rows = fitted("cohort95_regular3.csv")[0]["risk_factors"].with_columns(note=pl.lit(said))
    table = built("odds_ratios", models={"risk_factors": rows})
    assert at(table, "Fibromyalgia", "Note", "yes")["text"] == "Multivariable (exploratory): separated"
    assert any("imputed (m = 20), pooled by clip" in note for note in table.footnotes)


def test_risks_are_told_in_percentage_points_and_e_values_with_where_they_come_from() -> None:
    table = built("risk_effects", "cohort722.csv")
    difference = at(table, "Multivariable", "Risk difference, percentage points", "Fibromyalgia")
    effects = fitted("cohort722.csv")[1]["risk_factors"]["eular_2021"]["effects"]
    (told,) = [effect for effect in effects if effect["term"] == "fibromyalgia"]
    assert difference["estimate"] == pytest.approx(100 * told["risk_difference"]["estimate"])
    assert at(table, "Multivariable", "E-value", "Fibromyalgia")["estimate"] == told["e_value"]["estimate"]
    assert at(table, "Multivariable", "E-value from", "Fibromyalgia")["text"] == "odds ratio"  # 90 of 722
    age = at(table, "Multivariable", "Risk difference, percentage points", "Age, years: per 10")
    assert age["estimate"] is not None
    assert at(table, "Multivariable", "Risk ratio", "Age, years: per 10")["estimate"] is None


def test_a_factor_that_was_refused_stands_in_every_table_with_the_reason() -> None:
    plan = ModelPlan(name="univariable", kind="univariable", factors=["obese", "fibromyalgia"])
    why = {"fibromyalgia": "read by criterion 1"}
    rows, facts = fit_models(cohort("cohort722.csv"), plan, "eular_2021", refused=why)
    given = {"models": {"univariable": rows}, "facts": {"univariable": {"eular_2021": facts}}}
    for name, row, level in (
        ("odds_ratios", "Fibromyalgia", None),
        ("risk_effects", "Univariable", "Fibromyalgia"),
    ):
        note = at(built(name, "cohort722.csv", **given), row, "Note", level)
        assert note["text"].endswith("refused: read by criterion 1")
    again = side_by_side(models=given["models"], earlier={"audit": given["models"]})
    assert "full: refused" in at(again, "Univariable", "Note", "Fibromyalgia")["text"]


def test_a_study_whose_models_report_no_effects_has_no_table_of_them() -> None:
    assert built("risk_effects", facts={}).cells.is_empty()

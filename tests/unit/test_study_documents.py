"""Methods, data dictionary and checklist are written from the protocol, and say all of it."""

import csv
import re
from pathlib import Path

import polars as pl
import pytest

from d2tra.config import load_study
from d2tra.definitions import load_definition
from d2tra.disclosure import load_profile
from d2tra.documents.dictionary import data_dictionary
from d2tra.documents.methods import BASELINES, METHODS, POLICIES, STEPS, methods_text
from d2tra.documents.study import study_documents
from d2tra.errors import StudyError
from d2tra.extract.schemas import COLUMNS
from d2tra.models import ModelPlan, load_model
from d2tra.risk_factor_plan import load_plan
from d2tra.tables.cells import as_cells, proportion_cell
from d2tra.tables.table import Table

ROOT = Path(__file__).parents[2]
STUDY = load_study("audit_demo")
DEFINITIONS = [load_definition(name) for name in ("eular_2021", "becede_2019")]


def methods(study=STUDY, models=(), profile="opensafely"):
    return methods_text(
        study, ["North"], DEFINITIONS, models, load_plan(), load_profile(profile), True, {"polars": "2.1"}
    )


def test_the_methods_say_each_definition_and_what_its_paper_leaves_open():
    text = methods()
    for definition in DEFINITIONS:
        assert f"### {definition.title} ({definition.name})" in text
        assert all(line in text for line in definition.in_words())
        assert all(point.settled in text for point in definition.open_points)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"baseline": "index"}, "Cross-sectional audit"),
        ({"baseline": "first_bts"}, "taken at the baseline date (the start of the first b/tsDMARD)"),
        ({"baseline": "diagnosis"}, "At the date of diagnosis; nothing dated later is read."),
        ({"if_criterion_3_unrecorded": "assume_met"}, "it counts as: met;"),
        ({"seed": 7}, "Random seed 7."),
        ({"data_cut_date": None}, "Data cut: the last day of which the extract tells."),
    ],
)
def test_the_methods_follow_the_study(changed, said):
    assert said in methods(STUDY.model_copy(update=changed))


def test_the_methods_say_every_selection_step_in_the_order_of_the_study():
    assert (
        "- **audit**: disease RA; patients 1 to 95 of each site's consecutive sequence; at least one b/tsDMARD started; "
        "aged 18 or over at the index date."
    ) in methods()


def test_the_methods_say_how_each_model_is_fitted_and_its_missing_data_treated():
    imputed = ModelPlan.model_validate(
        {
            "name": "m",
            "title": "Imputed",
            "method": "firth",
            "missing": {"multiple_imputation": {"m": 20, "iterations": 10}},
            "factors": ["fibromyalgia"],
            "above_budget": "report_as_exploratory",
        }
    )
    text = methods(models=[load_model("univariable"), imputed])
    assert "**Imputed** (`m`, multivariable): Fibromyalgia. Firth's penalised likelihood" in text
    assert "m = 20, 10 iterations" in text
    assert "reported as exploratory" in text
    assert "| Fibromyalgia | yes_no |" in text
    assert "Firth's method below 10 events per parameter" in text


def test_every_choice_that_a_study_or_model_can_make_has_its_words():
    fields = type(STUDY).model_fields
    assert set(BASELINES) == set(fields["baseline"].annotation.__args__)
    assert set(POLICIES) == set(fields["if_criterion_3_unrecorded"].annotation.__args__)
    assert set(METHODS) == set(ModelPlan.model_fields["method"].annotation.__args__)
    steps = {key for key in type(STUDY.cohorts[0]).model_fields if key not in ("name", "tests")}
    assert set(STEPS) == steps


def test_synthetic_data_are_called_so_and_the_disclosure_rule_is_stated():
    assert "SYNTHETIC DATA" in methods()
    assert "counts from 1 to 7 are suppressed" in methods()
    assert "not for release" in methods(profile="local_audit")


def test_the_dictionary_has_every_canonical_column_every_outcome_and_every_factor():
    plan = load_plan()
    rows = data_dictionary(DEFINITIONS, plan)
    named = set(rows.select("table", "column").rows())
    assert named >= {(table, name) for table, columns in COLUMNS.items() for name in columns}
    assert named >= {("analysis_set", name) for name in ("eular_2021", "becede_2019", *plan.characteristics)}
    assert rows.height == len(named)
    assert rows.filter(table="visits", column="tjc28")["holds"].item() == "a whole number from 0 to 28"
    assert rows.filter(column="obese")["holds"].item() == "true or false"


def test_the_checklist_has_every_item_of_strobe_and_record_once():
    with (ROOT / "config/checklists/strobe_record.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    items = [row["item"] for row in rows]
    assert len(items) == len(set(items))
    assert {re.sub("[a-e]$", "", item) for item in items if not item.startswith("RECORD")} == {
        str(n) for n in range(1, 23)
    }
    assert sum(item.startswith("RECORD") for item in items) == 13
    assert all(row["answered_in"] and row["by"] for row in rows)


def documents_of(tables):
    study = STUDY.model_copy(
        update={"cohorts": STUDY.cohorts[:1], "definitions": ["eular_2021"], "models": []}
    )
    return study_documents(
        study,
        ["North"],
        load_profile("opensafely"),
        True,
        {"audit": tables},
        {"audit": {}},
        pl.DataFrame(),
        {},
    )


def test_a_study_has_slides_poster_abstracts_methods_dictionary_and_checklist():
    cells = as_cells([proportion_cell("Fibromyalgia", "Met", 7, 12)])
    made = documents_of([Table("d2t_characteristics", "Who", cells, ())])
    assert list(made) == [
        "slides.pptx", "poster.pptx", "audit/abstract.md", "methods.md", "data_dictionary.csv", "checklist_record.csv",
    ]  # fmt: skip
    assert "7/12 (58.3 %; 32.0–80.7)" in made["audit/abstract.md"]


def test_an_abstract_with_a_number_that_no_released_cell_supports_is_not_released(monkeypatch):
    monkeypatch.setattr("d2tra.documents.study.abstract_text", lambda *_: "# Title\n13 of them met it.")
    with pytest.raises(StudyError, match=r"audit/abstract.md: no released cell supports 13"):
        documents_of([])

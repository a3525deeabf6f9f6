"""The workbook of a chart review tells a reviewer nothing of the labels, and comes back through a real .xlsx."""

import datetime as dt
import io as memory
import re
import zipfile

import openpyxl
import polars as pl
import pytest

from d2tra import cli, io
from d2tra.definitions import load_definition
from d2tra.errors import StudyError
from d2tra.review.workbook import OVERALL, asked_criteria, question, read_answers, write_workbook

DEFINITION = load_definition("eular_2021")
CRITERION_1 = question("1", asked_criteria(DEFINITION)["1"])
STUDY = """
title: A study
sites: [north.yaml]
cohorts: [{name: audit}]
definitions: [eular_2021, eular_2021_strict]
seed: 7
"""
SITE = "format: canonical\nsource: nowhere\nsynthetic: true\n"
SMALL = ["--random", "20", "--near", "3", "--discordant", "3", "--not-assessable", "2"]


def sample(*ids: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "review_number": range(1, len(ids) + 1),
            "site": "north",
            "patient_id": ids,
            "judged_at": dt.date(2023, 5, 1),
            "label": "not_assessable",
            "stratum": "discordant, not_met",
        },
        schema_overrides={"review_number": pl.Int64},
    )


def parts(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(memory.BytesIO(content)) as book:
        return {name: book.read(name).decode("utf-8") for name in book.namelist()}


def edit(path, change) -> None:
    """Opens the workbook as a reviewer's spreadsheet would, changes its sheet of charts, saves it."""
    book = openpyxl.load_workbook(path)
    change(book["Charts"])
    book.save(path)


def column_of(sheet, heading: str) -> int:
    return next(cell.column for cell in sheet[1] if cell.value == heading)


def answer(path, heading: str, *words: str | None) -> None:
    def change(sheet):
        for row, word in enumerate(words, start=2):
            sheet.cell(row, column_of(sheet, heading)).value = word

    edit(path, change)


@pytest.fixture
def written(tmp_path):
    """Three charts, drawn and written."""
    path = tmp_path / "review.xlsx"
    path.write_bytes(write_workbook(sample("a1", "007", "=1+1"), DEFINITION, synthetic=False))
    return path


def refusal(path, ids=("a1", "007", "=1+1")) -> str:
    with pytest.raises(StudyError) as caught:
        read_answers(path, sample(*ids), DEFINITION)
    return str(caught.value)


# --- what the workbook shows ---------------------------------------------------------------------------------------


def test_nothing_of_label_stratum_or_hash_stands_anywhere_in_the_workbook():
    text = " ".join(parts(write_workbook(sample("a", "b"), DEFINITION, synthetic=True)).values())
    for word in (
        "not_met",
        "not_assessable",
        "not assessable",
        "discordant",
        "stratum",
        "cut-off",
        "sha256",
        "inclusion",
    ):
        assert word not in text, word


def test_a_word_shown_in_the_workbook_would_be_found():
    assert "discordant" in " ".join(
        parts(write_workbook(sample("discordant"), DEFINITION, synthetic=True)).values()
    )


def test_the_workbook_does_not_depend_on_the_labels():
    drawn = sample("a", "b")
    relabelled = drawn.with_columns(label=pl.lit("met"), stratum=pl.lit("rest, met"))
    assert write_workbook(drawn, DEFINITION, False) == write_workbook(relabelled, DEFINITION, False)


def test_the_same_sample_gives_the_same_bytes_without_user_or_day():
    content = write_workbook(sample("a"), DEFINITION, synthetic=False)
    assert content == write_workbook(sample("a"), DEFINITION, synthetic=False)
    core = parts(content)["docProps/core.xml"]
    assert set(re.findall(r"\d{4}-\d{2}-\d{2}", core)) == {"2024-01-01"}
    assert "<dc:creator></dc:creator><cp:lastModifiedBy></cp:lastModifiedBy>" in core


def test_the_answers_are_offered_as_a_list(written):
    rules = openpyxl.load_workbook(written)["Charts"].data_validations.dataValidation
    assert [(rule.formula1, str(rule.sqref)) for rule in rules] == [('"yes,no,cannot tell"', "E2:H4")]


def test_an_id_that_looks_like_a_formula_stays_text(written):
    cell = openpyxl.load_workbook(written)["Charts"]["C4"]
    assert (cell.value, cell.data_type, cell.quotePrefix) == ("=1+1", "s", True)
    assert "<f>" not in parts(written.read_bytes())["xl/worksheets/sheet2.xml"]


def test_the_definition_stands_in_words_on_the_first_sheet(written):
    lines = [cell.value for cell in openpyxl.load_workbook(written)["How to"]["A"]]
    assert set(DEFINITION.in_words()) <= set(lines)


@pytest.mark.parametrize("synthetic", [True, False])
def test_synthetic_charts_are_called_synthetic(synthetic):
    text = " ".join(parts(write_workbook(sample("a"), DEFINITION, synthetic)).values())
    assert ("SYNTHETIC" in text) == synthetic


# --- reading it back -----------------------------------------------------------------------------------------------


def test_answers_come_back_as_written_whatever_their_case(written):
    answer(written, OVERALL, "yes", " NO ", "Cannot tell")
    answer(written, CRITERION_1, None, "yes", None)
    found = read_answers(written, sample("a1", "007", "=1+1"), DEFINITION)
    assert found["overall"].to_list() == ["yes", "no", "cannot tell"]
    assert found["1"].to_list() == [None, "yes", None]


def test_a_chart_whose_row_was_deleted_is_not_answered(written):
    answer(written, OVERALL, "yes", "no", "no")
    edit(written, lambda sheet: sheet.delete_rows(3))
    found = read_answers(written, sample("a1", "007", "=1+1"), DEFINITION)
    assert found["overall"].to_list() == ["yes", None, "no"]


def test_whole_rows_may_be_sorted(written):
    def swap(sheet):
        for column in range(1, sheet.max_column + 1):
            upper, lower = sheet.cell(2, column), sheet.cell(3, column)
            upper.value, lower.value = lower.value, upper.value

    answer(written, OVERALL, "yes", "no", "cannot tell")
    edit(written, swap)
    found = read_answers(written, sample("a1", "007", "=1+1"), DEFINITION)
    assert found["overall"].to_list() == ["yes", "no", "cannot tell"]


def test_a_word_that_is_no_answer_is_named_by_sheet_row_and_column_and_not_shown(written):
    answer(written, OVERALL, "yes", "perhaps", "no")
    said = refusal(written)
    assert f"[Charts], column {OVERALL!r}" in said
    assert "1 row: 3" in said
    assert "perhaps" not in said


def test_ids_that_were_sorted_without_their_numbers_are_refused_without_naming_a_patient(written):
    answer(written, "Patient id", "007", "a1")
    said = refusal(written)
    assert "2 rows: 2, 3" in said
    assert "a1" not in said


def test_a_review_number_the_sample_does_not_hold_is_refused(written):
    answer(written, "Review number", 1, 2, 99)
    assert "no review number of this sample (1 row: 4)" in refusal(written)


def test_a_review_number_that_stands_twice_is_refused(written):
    answer(written, "Review number", 1, 1, 3)
    assert "stands there twice (2 rows: 2, 3)" in refusal(written)


def test_a_renamed_heading_is_refused(written):
    edit(written, lambda sheet: sheet.cell(1, column_of(sheet, OVERALL), "D2T?"))
    assert f"no column {OVERALL!r}" in refusal(written)


def test_a_file_that_is_no_workbook_is_refused(tmp_path):
    (tmp_path / "review.xlsx").write_text("no workbook")
    assert "not readable as a workbook" in refusal(tmp_path / "review.xlsx")


# --- the whole round, by the command -------------------------------------------------------------------------------


@pytest.fixture
def audit(tmp_path, monkeypatch):
    """A synthetic study of 60 with results: 12 met, 44 not met, 4 not assessable; returns the folder of the review."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(STUDY)
    (tmp_path / "north.yaml").write_text(SITE)
    status = ["met"] * 12 + ["not_met"] * 44 + ["not_assessable"] * 4
    ids = [f"-P{i:03}" for i in range(60)]
    days = [dt.date(2023, 1, 1 + i % 28) for i in range(60)]
    members = pl.DataFrame(
        {
            "site": "north",
            "patient_id": ids,
            "index_date": days,
            "eular_2021": status,
            "eular_2021_strict": ["not_met"] * 59 + ["met"],
        }
    )
    private = tmp_path / "results" / "small" / "private"
    io.write(members, private / "cohorts" / "audit" / "analysis_set.parquet")
    scores = pl.DataFrame(
        {"patient_id": ids, "visit_date": days, "near_cutoff": [i % 5 == 0 for i in range(60)]}
    )
    io.write(scores, private / "sites" / "north" / "scores.parquet")
    evidence = pl.DataFrame(
        {"patient_id": ids, "definition": "eular_2021", "criterion": "1", "met": [s == "met" for s in status]}
    )
    io.write(evidence, private / "sites" / "north" / "evidence.parquet")
    return private / "cohorts" / "audit" / "review"


def draw(*more: str) -> int:
    return cli.main(["review-sample", "--study", "small.yaml", "--cohort", "audit", *SMALL, *more])


def score(*paths) -> int:
    return cli.main(["review-score", *map(str, paths), "--study", "small.yaml", "--cohort", "audit"])


def answer_as_labelled(folder, name="review.xlsx") -> None:
    key = pl.read_csv(folder / "key.csv")
    words = {"met": "yes", "not_met": "no", "not_assessable": "cannot tell"}
    answer(folder / name, OVERALL, *(words[label] for label in key["label"]))


def test_the_round_trip_finds_a_perfect_label_perfect(audit, capsys):
    assert draw() == 0
    answer_as_labelled(audit)
    assert score(audit / "review.xlsx") == 0
    cells = pl.read_csv(audit / "review.csv", infer_schema_length=None)
    shown = cells.filter(
        pl.col("row").is_in(["Sensitivity, %", "Positive predictive value, %"]),
        pl.col("column") == "Estimate (95 % CI)",
    )
    assert shown["estimate"].to_list() == pytest.approx([100, 100])
    assert (shown["low"] < 100).all()
    said = capsys.readouterr().out
    assert "Sensitivity" in said
    assert "Synthetic data" in said
    assert "-P0" not in said
    assert "STALE" not in said


def test_the_whole_round_is_the_same_on_repeat(audit):
    draw()
    first = {path.name: path.read_bytes() for path in audit.iterdir()}
    draw()
    assert first == {path.name: path.read_bytes() for path in audit.iterdir()}


def test_every_patient_id_in_the_key_is_disarmed_and_found_again(audit):
    draw()
    assert pl.read_csv(audit / "key.csv")["patient_id"].str.starts_with("'-P").all()
    answer_as_labelled(audit)
    assert score(audit / "review.xlsx") == 0


def test_a_workbook_with_answers_is_not_overwritten(audit, capsys):
    draw()
    answer(audit / "review.xlsx", "Remarks", "notes not found")
    before = (audit / "review.xlsx").read_bytes()
    assert draw() == 1
    assert "has answers in it" in capsys.readouterr().err
    assert (audit / "review.xlsx").read_bytes() == before


def test_two_reviewers_get_a_workbook_each_and_a_kappa(audit, capsys):
    assert draw("--reviewers", "2") == 0
    for name in ("review_1.xlsx", "review_2.xlsx"):
        answer_as_labelled(audit, name)
    assert score(audit / "review_1.xlsx", audit / "review_2.xlsx") == 0
    assert "both reviewers" in capsys.readouterr().out


def test_drawing_for_one_reviewer_takes_the_empty_workbooks_of_two_away(audit):
    draw("--reviewers", "2")
    draw()
    assert sorted(path.name for path in audit.iterdir()) == ["key.csv", "review.xlsx"]


def test_labels_that_changed_since_are_said_to_be_stale(audit, capsys):
    draw()
    answer_as_labelled(audit)
    path = audit.parent / "analysis_set.parquet"
    flipped = pl.when(pl.col("patient_id") == "-P000").then(pl.lit("not_met")).otherwise("eular_2021")
    io.write(io.read(path).with_columns(eular_2021=flipped), path)
    assert score(audit / "review.xlsx") == 0
    assert "STALE" in capsys.readouterr().out


def test_a_workbook_without_answers_has_no_score(audit, capsys):
    draw()
    assert score(audit / "review.xlsx") == 1
    assert "holds no answer yet" in capsys.readouterr().err
    assert not (audit / "review.csv").exists()


def test_a_score_without_a_sample_says_how_to_draw_one(audit, capsys):
    assert score(audit / "review.xlsx") == 1
    assert "uv run d2tra review-sample" in capsys.readouterr().err


def test_another_primary_definition_asks_for_a_new_sample(audit, capsys, tmp_path):
    draw()
    answer_as_labelled(audit)
    (tmp_path / "small.yaml").write_text(
        STUDY.replace("[eular_2021, eular_2021_strict]", "[eular_2021_strict, eular_2021]")
    )
    assert score(audit / "review.xlsx") == 1
    assert "Draw a new one" in capsys.readouterr().err


def test_one_workbook_given_twice_is_no_second_reviewer(audit, capsys):
    draw()
    answer_as_labelled(audit)
    assert score(audit / "review.xlsx", audit / "review.xlsx") == 1
    assert "given twice" in capsys.readouterr().err


@pytest.mark.usefixtures("audit")
def test_a_number_of_charts_below_zero_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        draw("--near", "-1")
    assert "0 or more" in capsys.readouterr().err


def test_a_study_without_results_says_how_to_make_them(audit, capsys):
    (audit.parent / "analysis_set.parquet").unlink()
    assert draw() == 1
    assert "uv run snakemake --cores all" in capsys.readouterr().err


@pytest.mark.usefixtures("audit")
def test_an_unknown_cohort_is_refused(capsys):
    assert cli.main(["review-sample", "--study", "small.yaml", "--cohort", "nobody"]) == 1
    assert "its cohorts: audit" in capsys.readouterr().err


def test_only_the_owner_may_open_the_folder(audit):
    draw()
    assert audit.stat().st_mode & 0o077 == 0

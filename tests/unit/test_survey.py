"""Opinion surveys: from a codebook and a small file of answers to counts, tables, what may be shown, and what was misprinted."""

from pathlib import Path

import polars as pl
import pytest
import yaml

from d2tra.config import PROJECT, load_study, load_yaml
from d2tra.disclosure import load_profile
from d2tra.disclosure.ledger import LEDGER
from d2tra.disclosure.relations import bind
from d2tra.disclosure.secondary import Released, release_tables
from d2tra.errors import StudyError
from d2tra.survey.answers import read_answers
from d2tra.survey.chapter import describe_survey
from d2tra.survey.codebook import ANSWERED, NOT_ANSWERED, Survey, load_survey, survey_files
from d2tra.survey.count import count_answers
from d2tra.survey.printed import adds_up, judge, whole_numbers
from d2tra.survey.tables import summarise_survey, survey_tables
from d2tra.synthetic import SEED
from d2tra.synthetic.survey import N_CLINICIANS, draw_survey
from d2tra.tables import Table
from d2tra.tables.cells import as_cells, format_cell, proportion_cell

CODEBOOK = """
title: A small survey
responses: {file: answers.csv}
respondent: id
missing: [no answer]
ignore: [made]
questions:
  place: {kind: single, title: Place, wording: Your place, column: place, options: {a: Town, b: Village}}
  treats: {kind: single, title: Treats, wording: Do you treat RA, column: treats, options: {yes: "Yes", no: "No"}}
  drugs:
    kind: multiple
    title: Drugs
    wording: Which drugs do you give
    column: drugs
    separator: ";"
    options: {mtx: Methotrexate, tnf: TNF inhibitor}
    other: Another drug
    asked_if: {question: treats, chosen: [yes]}
  signs:
    kind: multiple
    title: Signs
    wording: Which signs count
    columns: {s1: pain, s2: swelling}
    options: {pain: Pain, swelling: Swelling}
  sure: {kind: scale, title: Sure, wording: How sure are you, column: sure, options: {1: low, 2: "2", 3: high}}
  why: {kind: free_text, title: Why, wording: Why so, column: why, themes: {Cost: [cost, the money], Time: [time]}}
subgroups: [place]
"""
ANSWERS = """
made | id | place | treats    | drugs         | s1  | s2 | sure | why
x    | 1  | a     | yes       | mtx; TNF      | x   |    | 1    | It is the COST
x    | 2  | A     | Yes       | mtx; steroids |     | 1  | 3    | no time; the money
x    | 3  | b     | yes       |               | no  | no | 3    | costly
x    | 4  | Town  | no        |               |     |    |      |
x    | 5  |       | no answer | mtx           | x   | x  | 2    | because
x    | 6  | b     | no        | tnf           | yes |    | 3    | nothing else
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_answers(text: str = ANSWERS) -> None:
    rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    Path("answers.csv").write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")


def survey_of(**changes: object) -> Survey:
    """The survey of the codebook, with some of its keys changed (None: left out)."""
    stated = stated_codebook() | changes
    kept = {key: value for key, value in stated.items() if value is not None}
    Path("small.yaml").write_text(yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")
    return load_survey("small.yaml")


def stated_codebook() -> dict:
    Path("codebook.yaml").write_text(CODEBOOK, encoding="utf-8")
    return load_yaml("codebook.yaml")


def counted(answers: str = ANSWERS, **changes: object) -> pl.DataFrame:
    write_answers(answers)
    survey = survey_of(**changes)
    return count_answers(read_answers(survey), survey)


def shares(counts: pl.DataFrame, question: str, **group: object) -> dict[str | None, tuple[int, int]]:
    """Choice → n, total; None: who answered, of those asked."""
    own = counts.filter(pl.col("question") == question)
    own = own.filter(**group) if group else own.filter(pl.col("subgroup").is_null())
    return {row["choice"]: (row["n"], row["total"]) for row in own.iter_rows(named=True)}


def tables_of(answers: str = ANSWERS) -> dict[str, Table]:
    write_answers(answers)
    survey = survey_of()
    counts = count_answers(read_answers(survey), survey)
    return {table.name: table for table in survey_tables(survey, counts, {}, {}, "eular_2021", False)}


def test_single_answers_are_shares_of_who_answered_and_unknown_is_never_no() -> None:
    counts = counted()
    assert shares(counts, "place") == {None: (5, 6), "a": (3, 5), "b": (2, 5)}
    assert shares(counts, "treats") == {None: (5, 6), "yes": (3, 5), "no": (2, 5)}


def test_a_branch_is_asked_of_those_who_chose_it_and_answers_of_others_are_left_out_and_counted() -> None:
    counts = counted()
    assert shares(counts, "drugs") == {None: (2, 3), "mtx": (2, 2), "tnf": (1, 2), "(other)": (1, 2)}
    whole = counts.filter(pl.col("subgroup").is_null(), pl.col("choice").is_null(), question="drugs")
    assert whole.select("n_not_known", "n_stray").row(0) == (1, 2)


def test_a_branch_of_a_branch_is_not_asked_of_those_who_were_not_asked_the_first() -> None:
    questions = stated_codebook()["questions"]
    deeper = {"kind": "scale", "title": "Deep", "wording": "?", "column": "sure2", "options": {1: "one"}}
    questions["deep"] = {**deeper, "asked_if": {"question": "drugs", "chosen": ["mtx"]}}
    lines = ANSWERS.strip().splitlines()
    answers = "\n".join([f"{lines[0]} | sure2", *(f"{line} | 1" for line in lines[1:])])
    counts = counted(answers, questions=questions)
    assert shares(counts, "deep") == {None: (2, 2), "1": (2, 2)}
    whole = counts.filter(pl.col("subgroup").is_null(), pl.col("choice").is_null(), question="deep")
    assert (
        whole["n_not_known"].item() == 2
    )  # one of whom the first branch is not known, one who did not answer it


def test_of_a_column_of_ticks_a_blank_beside_a_tick_is_none_and_all_blank_is_no_answer() -> None:
    assert shares(counted(), "signs") == {None: (5, 6), "pain": (3, 5), "swelling": (2, 5)}


def test_a_word_for_no_answer_among_the_ticks_makes_the_question_unanswered() -> None:
    assert shares(counted(ANSWERS.replace("| yes |    | 3", "| yes | no answer | 3")), "signs")[None] == (
        4,
        6,
    )


def test_a_scale_has_the_median_of_its_points() -> None:
    counts = counted()
    assert shares(counts, "sure") == {None: (5, 6), "1": (1, 5), "2": (1, 5), "3": (3, 5)}
    whole = counts.filter(pl.col("subgroup").is_null(), pl.col("choice").is_null(), question="sure")
    assert whole.select("median", "low", "high").row(0) == (3.0, 2.0, 3.0)


def test_words_are_counted_by_whole_words_of_each_theme_and_stand_nowhere() -> None:
    counts = counted()
    assert shares(counts, "why") == {None: (5, 6), "Cost": (2, 5), "Time": (1, 5), "(no theme)": (3, 5)}
    shown = "".join(str(table.cells.to_dicts()) + str(table.footnotes) for table in tables_of().values())
    for words in ("costly", "because", "nothing else", "steroids"):
        assert words not in shown


def test_subgroups_add_up_to_everybody_with_those_who_did_not_say() -> None:
    counts = counted()
    assert shares(counts, "treats", subgroup="place", group="a") == {
        None: (3, 3),
        "yes": (2, 3),
        "no": (1, 3),
    }
    by_group = (
        counts.filter(pl.col("subgroup") == "place")
        .group_by("question", "choice")
        .agg(pl.col("n", "total").sum())
    )
    whole = counts.filter(pl.col("subgroup").is_null()).select("question", "choice", "n", "total")
    assert by_group.sort("question", "choice").equals(whole.sort("question", "choice"))
    assert counts.filter(pl.col("subgroup") == "place", pl.col("group").is_null()).height


def test_shares_have_wilson_limits_that_end_at_nobody_and_at_everybody() -> None:
    """0 of 10: 0 to 27.8; 10 of 10: 72.2 to 100 (R 4.2.2, binom 1.1, binom.wilson)."""
    answers = "\n".join(
        [ANSWERS.strip().splitlines()[0], *(f"x | {n} | a | yes |  | x |  | 1 | " for n in range(10))]
    )
    cells = tables_of(answers)["survey_questions"].cells
    town, village = (
        cells.filter(row="Place", level=level).row(0, named=True) for level in ("Town", "Village")
    )
    assert format_cell(town) == "10/10 (100.0 %; 72.2–100.0)"
    assert format_cell(village) == "0/10 (0.0 %; 0.0–27.8)"
    nobody = cells.filter(row="Why", level="Cost").row(0, named=True)
    assert format_cell(nobody) == "0/0"


def test_a_table_by_subgroup_leaves_out_the_question_that_makes_the_groups() -> None:
    cells = tables_of()["survey_by_subgroup_place"].cells
    assert "Place" not in cells["row"].to_list()
    assert cells["column"].unique(maintain_order=True).to_list() == [
        "All respondents", "Place: Town", "Place: Village", "Place: not said",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("planted", "kind"),
    [
        ("ask jo.bloggs@example.org", "e-mail address"),
        ("ring 07700 900123", "phone number"),
        ("seen at LS9 7TF", "postcode"),
    ],
)
def test_an_identifier_in_the_answers_stops_before_anything_is_counted(planted: str, kind: str) -> None:
    with pytest.raises(StudyError, match=f"'why': {kind}, 1 cell\n") as stopped:
        counted(ANSWERS.replace("because", planted))
    assert planted.split()[-1] not in str(stopped.value)


def test_a_column_of_names_stops_even_where_the_codebook_ignores_it() -> None:
    with pytest.raises(StudyError, match="column 'First name': name, 6 cells"):
        counted(ANSWERS.replace("made", "First name"), ignore=["First name"])


def test_long_answers_in_words_are_no_identifier_where_the_codebook_says_that_they_are_words() -> None:
    long = "because the clinic is full and nobody has the room to look at every joint"
    assert shares(counted(ANSWERS.replace("because", long).replace("costly", long)), "why")[None] == (5, 6)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("| 3    | costly", "| 4    | costly", r"question 'sure': column 'sure' has 1 cells \(the first in row 4\)"),
        ("| x   |    | 1", "| q   |    | 1", r"question 'signs': column 's1' has 1 cells \(the first in row 2\)"),
        ("x    | 6  |", "x    | 5  |", "2 rows share their respondent"),
        ("x    | 6  |", "x    |    |", "1 have none"),
        ("| sure |", "| sur |", "no column 'sure', did you mean 'sur'"),
        ("made |", "made too |", "no column 'made'"),
    ],
)  # fmt: skip
def test_a_file_that_the_codebook_does_not_fit_is_named_with_its_place(old: str, new: str, said: str) -> None:
    assert old in ANSWERS
    with pytest.raises(StudyError, match=said):
        counted(ANSWERS.replace(old, new))


def test_a_column_that_no_question_reads_is_not_passed_over_in_silence() -> None:
    with pytest.raises(StudyError, match="1 columns that the codebook does not read: 'made'"):
        counted(ignore=[])


def test_what_stands_in_a_cell_is_in_no_message() -> None:
    with pytest.raises(StudyError) as stopped:
        counted(ANSWERS.replace("x    | 6  | b", "x    | 6  | Leeds"))
    assert "Leeds" not in str(stopped.value)


ONE = {"kind": "single", "title": "One", "wording": "?", "column": "c", "options": {"a": "A", "b": "B"}}


@pytest.mark.parametrize(
    ("questions", "more", "said"),
    [
        ({"q": ONE | {"separator": ";"}}, {}, "a question of kind single has no separator"),
        ({"q": ONE | {"options": {}}}, {}, "its `options:` are missing"),
        ({"q": ONE | {"kind": "multiple"}}, {}, "need their `separator:`"),
        ({"q": ONE | {"kind": "scale"}}, {}, "points: numbers"),
        ({"q": ONE | {"options": {"a": "A", "b": "A"}}}, {}, "two lines would be called 'A'"),
        ({"q": ONE | {"options": {"a": "not answered"}}}, {}, "two lines would be called 'not answered'"),
        ({"q": ONE | {"title": "One: two"}}, {}, "a title does not hold"),
        ({"q": ONE | {"optoins": {}}}, {}, "unknown key 'questions.q.optoins'"),
        ({"q": ONE, "r": ONE | {"title": "Two"}}, {}, "column 'c' stands there twice"),
        ({"q": ONE, "r": ONE | {"column": "d"}}, {}, "`title:` 'One' stands there twice"),
        ({"q": ONE | {"asked_if": {"question": "r", "chosen": ["a"]}}, "r": ONE | {"title": "Two", "column": "d"}}, {}, "no earlier question"),
        ({"q": ONE, "r": ONE | {"title": "Two", "column": "d", "asked_if": {"question": "q", "chosen": ["z"]}}}, {}, "the answer 'z'"),
        ({"q": ONE}, {"subgroups": ["p"]}, "subgroup 'p' is no question of kind single"),
        ({"q": ONE | {"options": {"a": {"label": "A", "favours": "eular_2012"}}}}, {}, "did you mean 'eular_2021'"),
        ({"q": ONE}, {"responses": None}, "say `responses:` and `questions:`"),
        ({"q": ONE}, {"responses": {"file": "gone.csv"}}, "gone.csv: no such file"),
        ({"q": ONE}, {"printed": [{"title": "P", "of": 9, "percentages": {"a": "12 %"}}]}, "'12 %' is no percentage"),
    ],
)  # fmt: skip
def test_a_codebook_that_cannot_be_is_said_in_words(questions: dict, more: dict, said: str) -> None:
    write_answers()
    with pytest.raises(StudyError, match=said):
        survey_of(**{"questions": questions, "subgroups": None} | more)


@pytest.mark.parametrize("printed", ["68.3", "74.3", "79.4", "96.2", "37.5"])
def test_printed_percentages_of_244_rheumatologists_that_no_whole_number_gives_are_impossible(
    printed: str,
) -> None:
    found = judge(printed, 244)
    assert (found.verdict, found.rounded) == ("impossible", [])
    assert found.of_fewer is not None
    assert whole_numbers(printed, found.of_fewer)
    assert all(abs(100 * k / 244 - float(printed)) < 100 / 244 for k in found.nearest)


@pytest.mark.parametrize(
    ("printed", "of"), [("34.8", 244), ("41", 244), ("50", 410), ("42", 410), ("48", 410), ("89", 410)]
)
def test_the_other_prints_are_possible(printed: str, of: int) -> None:
    assert judge(printed, of).verdict == "possible"


def test_every_percentage_that_is_judged_agrees_with_trying_every_whole_number() -> None:
    """Half up by whole numbers alone: floor((2000 k + n) / 2n) tenths; cut off: floor(1000 k / n)."""
    for of in (1, 7, 12, 244, 3000):
        rounded = [(2000 * k + of) // (2 * of) for k in range(of + 1)]
        cut_off = [1000 * k // of for k in range(of + 1)]
        for tenths in range(0, 1001, 7):
            text = f"{tenths // 10}.{tenths % 10}"
            assert whole_numbers(text, of) == [k for k in range(of + 1) if rounded[k] == tenths]
            assert whole_numbers(text, of, "cut off") == [k for k in range(of + 1) if cut_off[k] == tenths]


def test_a_percentage_that_was_cut_off_is_told_from_one_that_is_wrong() -> None:
    assert judge("66", 3).verdict == "only if cut off, not rounded"
    assert judge("66.7", 3).verdict == "possible"
    assert (judge("0", 12).verdict, judge("100.0", 12).verdict) == ("possible", "possible")


def test_parts_of_a_whole_add_up_to_100_within_their_rounding_and_not_beyond() -> None:
    assert adds_up(["33.3", "33.3", "33.3"])[1]
    assert adds_up(["33.35", "33.3", "33.3"])[1]
    assert not adds_up(["33.2", "33.3", "33.3"])[1]
    total, is_whole = adds_up(["40.1", "30.0", "20.1", "8.5"])  # continents that add up to 98.7
    assert (str(total), is_whole) == ("98.7", False)


PUBLISHED = str(PROJECT / "config" / "surveys" / "published_surveys.yaml")


def test_the_published_surveys_are_judged_without_anybodys_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    (table,) = describe_survey(load_study("audit_demo"), load_survey("published_surveys"), {}, False)
    verdicts = table.cells.filter(column="Verdict")["text"].to_list()
    assert (table.name, verdicts.count("impossible"), len(verdicts)) == ("survey_printed", 5, 11)
    (sentence,) = summarise_survey({table.name: table})
    assert "79.4 % of 244" in sentence
    assert "34.8" not in sentence


def test_synthetic_answers_do_not_stand_beside_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    with pytest.raises(StudyError, match="the answers of demo_survey are synthetic, the patients are not"):
        describe_survey(load_study("audit_demo"), load_survey("demo_survey"), {}, False)


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> tuple[Survey, pl.DataFrame]:
    monkeypatch.chdir(PROJECT)
    survey = load_survey("demo_survey")
    return survey, read_answers(survey)


def demo_tables(demo: tuple[Survey, pl.DataFrame], **prevalence: pl.DataFrame) -> list[Table]:
    survey, _ = demo
    study = load_study("audit_demo")
    return describe_survey(study, survey, prevalence, True)


def prevalence_of(n_met: int, n: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"definition": ["eular_2021"], "criterion_3_policy": ["unknown"], "n_met": [n_met], "n": [n]}
    )


def test_the_demo_survey_is_made_again_and_is_counted_as_it_was_drawn(
    demo: tuple[Survey, pl.DataFrame],
) -> None:
    survey, answers = demo
    drawn = draw_survey(SEED)
    counts = count_answers(answers, survey)
    assert answers.height == len(drawn) == N_CLINICIANS
    yes = sum(row["Uses the term"] == "yes" for row in drawn)
    imaging = sum("imaging" in str(row["Next step"]) for row in drawn)
    assert shares(counts, "uses_term")["yes"][0] == yes == shares(counts, "next_step")[None][1]
    assert shares(counts, "next_step")["imaging"][0] == imaging


def test_who_favours_a_definition_stands_beside_who_meets_it(demo: tuple[Survey, pl.DataFrame]) -> None:
    tables = {table.name: table for table in demo_tables(demo, full=prevalence_of(100, 722))}
    cells = tables["survey_favours"].cells
    first = {
        cell["column"]: format_cell(cell)
        for cell in cells.iter_rows(named=True)
        if "(eular_2021, primary)" in cell["row"]
    }
    answer = (
        tables["survey_questions"].cells.filter(row="Best definition", level="EULAR 2021").row(0, named=True)
    )
    assert first["Favoured by clinicians"] == format_cell(answer)
    assert first["full: Met"] == "100/722 (13.9 %; 11.5–16.6)"
    other = cells.filter(pl.col("row").str.contains("poly_refractory"), column="full: Met")
    assert other["text"].item() == "not in this study"
    opening = summarise_survey(tables)
    assert any("favoured by 59/166" in said and "cohort full 100/722" in said for said in opening)


Count = tuple[str, str, str, str]  # row, level, column; n, its total, or the rest of it


def counts_of(cells: pl.DataFrame) -> dict[Count, int]:
    """Every count that the cells show, and what two of them leave."""
    found = {}
    for cell in cells.filter(
        pl.col("kind").is_in(["count", "proportion"]), pl.col("n").is_not_null()
    ).iter_rows(named=True):
        place = (cell["row"], cell["level"], cell["column"])
        found[*place, "n"] = cell["n"]
        if cell["total"] is not None:
            found |= {(*place, "of"): cell["total"], (*place, "rest"): cell["total"] - cell["n"]}
    return found


def sums_of(survey: Survey, counts: dict[Count, int]) -> list[tuple[Count, list[Count]]]:
    """What anybody knows of a survey: a whole, and the parts that make it."""
    sums: list[tuple[Count, list[Count]]] = []
    groups = [column for column in dict.fromkeys(key[2] for key in counts) if column != "All respondents"]
    for row, level, column, what in counts:
        if what == "of":
            sums.append(
                ((row, level, column, "of"), [(row, level, column, "n"), (row, level, column, "rest")])
            )
        if what != "rest" and column == "All respondents" and row != "Setting":
            sums.append(((row, level, column, what), [(row, level, group, what) for group in groups]))
    for question in survey.questions.values():
        for column in ["All respondents", *groups]:
            answered: Count = (question.title, ANSWERED, column, "n")
            own = [(question.title, option.label, column) for option in question.choices.values()]
            sums.append(((*answered[:3], "of"), [answered, (question.title, NOT_ANSWERED, column, "n")]))
            sums += [((*option, "of"), [answered]) for option in own]
            if question.exclusive:
                sums.append((answered, [(*option, "n") for option in own]))
    return [(whole, parts) for whole, parts in sums if {whole, *parts} <= counts.keys()]


def test_no_small_count_of_respondents_is_shown_or_comes_out_of_adding_and_subtracting(
    demo: tuple[Survey, pl.DataFrame],
) -> None:
    profile = load_profile("acro")
    exact = [
        table
        for table in demo_tables(demo)
        if table.name in ("survey_questions", "survey_by_subgroup_setting")
    ]
    shown, _ = release_tables("survey", exact, profile, {"full": {1}}, {}, pl.DataFrame(schema=LEDGER))
    truth, known = (counts_of(pl.concat([table.cells for table in tables])) for tables in (exact, shown))
    sums = sums_of(demo[0], truth)
    assert all(truth[whole] == sum(truth[part] for part in parts) for whole, parts in sums)
    worked_out = set(known)
    while found := {
        left[0]
        for whole, parts in sums
        if len(left := [name for name in (whole, *parts) if name not in worked_out]) == 1
    }:
        worked_out |= found
    small = {name for name, n in truth.items() if 1 <= n <= profile.suppress_up_to}
    assert len(small) > 50
    assert not small & worked_out
    assert len(known) > 100


def test_a_group_that_is_too_small_is_not_everybody_less_the_others() -> None:
    answers = [ANSWERS.strip().splitlines()[0]]
    answers += [
        f"x | {n} | {'b' if n <= 4 else 'a'} | {'yes' if n % 2 else 'no'} |  | x | x | 1 | time"
        for n in range(1, 61)
    ]
    tables = list(tables_of("\n".join(answers)).values())
    shown, _ = release_tables(
        "survey", tables, load_profile("acro"), {"full": {1}}, {}, pl.DataFrame(schema=LEDGER)
    )
    by = {table.name: table.cells for table in shown}
    line = by["survey_by_subgroup_place"].filter(row="Sure", level="low")
    village, town, everybody = (
        line.filter(column=c)["n"].item() for c in ("Place: Village", "Place: Town", "All respondents")
    )
    assert village is None
    assert None in (town, everybody)


def test_a_prevalence_that_its_cohort_holds_back_is_held_back_beside_the_survey(
    demo: tuple[Survey, pl.DataFrame],
) -> None:
    tables = [table for table in demo_tables(demo, full=prevalence_of(4, 95)) if "subgroup" not in table.name]
    row = next(row for row in tables[-1].cells["row"] if "primary" in row)
    own = [Table("prevalence", "p", as_cells([proportion_cell(row, "Met", 4, 95)]))]
    acro, nothing, members = load_profile("acro"), pl.DataFrame(schema=LEDGER), {"full": {1}}
    cohort, _ = release_tables("full", own, acro, members, {}, nothing)
    shown, _ = release_tables("survey", tables, acro, members, {"full": Released(own, cohort)}, nothing)
    assert shown[-1].cells.filter(row=row, column="full: Met")["note"].item() == "suppressed"
    bound = bind({"full": own, "survey": tables}, members)
    assert bound.values["full", "Patients", None, "Met"] == 4  # one count under one name


def test_a_study_without_a_survey_has_no_files_of_one() -> None:
    assert survey_files(None) == ([], [])
    codebook, responses = survey_files(PUBLISHED)
    assert (len(codebook), responses) == (1, [])

"""`d2tra map` proposes, a person confirms, and the tables are what they would be of a canonical extract."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from polars.testing import assert_frame_equal

from d2tra.cli import main
from d2tra.errors import StudyError
from d2tra.extract.mapping import harmonise
from d2tra.extract.schemas import COLUMNS
from d2tra.extract.site import TableSource, load_site
from d2tra.extract.validate import Validated, validate_extract
from d2tra.proposal.commands import map_extract
from d2tra.proposal.dates import guess_dates
from d2tra.proposal.feeds import Feed
from d2tra.proposal.layout import Layout
from d2tra.proposal.measures import MEASURED
from d2tra.proposal.words import words
from d2tra.proposal.written import written
from d2tra.treatment import recognise_drugs
from export_shapes import (
    SHAPES,
    Rows,
    Shape,
    Tables,
    canonical_tables,
    in_uk_words,
    one_workbook,
    write_all,
    write_rows,
)

CHOOSE = re.compile(r"^(?P<indent>\s*(?:- )*)(?P<entry>.*): CHOOSE\s+#.*$")


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("department")


@pytest.fixture(autouse=True)
def department(shared_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One folder for all tests, each with a site of its own: settings are read once a folder."""
    monkeypatch.chdir(shared_folder)
    return shared_folder


def proposed(site: str) -> str:
    return Path(f"config/sites/{site}.yaml").read_text(encoding="utf-8")


def confirm(site: str, answers: dict[str, str | None]) -> str:
    """Takes the marks off as a person who agrees, with these answers to the questions (by entry); returns the file."""
    lines = []
    for line in proposed(site).replace("confirm: ", "").splitlines():
        asked = CHOOSE.match(line)
        if asked is None:
            lines.append(line)
        elif (answer := answers[asked["entry"]]) is not None:
            lines.append(f"{asked['indent']}{asked['entry']}: {answer}")
    Path(f"config/sites/{site}.yaml").write_text("\n".join(lines), encoding="utf-8")
    return "\n".join(lines)


def validated(site: str) -> Validated:
    mapping = load_site(site)
    return validate_extract(harmonise(mapping), mapping, recognise_drugs)


CANONICAL: dict[str, Validated] = {}


def as_canonical(tables: Tables) -> Validated:
    """Returns what the tables give when they are handed over in canonical form; several shapes stand for the same."""
    content = json.dumps(tables)
    if content not in CANONICAL:
        site = f"ours_{len(CANONICAL)}"
        write_all(Path("data") / site, tables)
        mapping = f"format: canonical\nsource: data/{site}\ncrp_unit: mg/L\n"
        Path(f"config/sites/{site}.yaml").write_text(mapping, encoding="utf-8")
        CANONICAL[content] = validated(site)
    return CANONICAL[content]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_confirmed_proposal_gives_the_tables_of_the_canonical_extract(
    shape: Callable[[Path, Tables], Shape],
) -> None:
    site = shape.__name__
    expected = shape(Path("data") / site, canonical_tables())
    map_extract(Path("data") / site, None, [], [])
    confirm(site, expected.answers)
    found, original = validated(site), as_canonical(expected.tables)

    assert set(found.tables) == set(original.tables)
    for table, rows in original.tables.items():
        kept = [name for name in rows.columns if name not in ("source_row", "records_glucocorticoids")]
        ours, theirs = rows.select(kept).sort(kept), found.tables[table].select(kept).sort(kept)
        assert_frame_equal(theirs, ours, abs_tol=1e-9)
    assert found.quarantine.filter(pl.col("severity") != "fix").is_empty()


def uk_tables(date: str = "%d/%m/%Y") -> Tables:
    """Returns the three required tables of the twelve patients as a UK clinic words them."""
    tables = in_uk_words(canonical_tables(), date)
    return {table: tables[table] for table in ("patients", "visits", "treatments")}


def uk_site(site: str, **changed: Rows) -> str:
    """Writes those tables, some changed; returns the proposal."""
    write_all(Path("data") / site, {**uk_tables(), **changed})
    map_extract(Path("data") / site, None, [], [])
    return proposed(site)


def clinic(n: int, **columns: Any) -> Rows:
    """Returns n visits of n patients in UK words; a column given is the same on every row, or made by the row's number."""
    rows = in_uk_words(canonical_tables())["visits"][:n]
    return [{**row, **{k.replace("_", " "): v(i) if callable(v) else v for k, v in columns.items()}}
            for i, row in enumerate(rows)]  # fmt: skip


def line_of(proposal: str, entry: str) -> str:
    """Returns the proposal's line that starts with this entry, its mark included."""
    found = [
        line.strip()
        for line in proposal.splitlines()
        if re.match(rf"\s*(?:- )*(?:confirm: )?{re.escape(entry)}", line)
    ]
    assert found, entry
    return found[0]


def test_a_mapping_is_not_used_while_a_mark_or_a_question_is_left() -> None:
    proposal = uk_site("marks")
    marked = [
        number
        for number, line in enumerate(proposal.splitlines(), start=1)
        if re.match(r"\s*(- )?confirm: ", line)
    ]
    with pytest.raises(
        StudyError, match=rf"{len(marked)} guesses are not confirmed yet, the first in line {marked[0]}\."
    ):
        load_site("marks")

    Path("config/sites/marks.yaml").write_text(proposal.replace("confirm: ", ""), encoding="utf-8")
    with pytest.raises(
        StudyError, match=r"1 questions are open, the first in line 6\. Write the answer where CHOOSE"
    ):
        load_site("marks")

    confirm("marks", {"data_cut_date": "2023-12-31"})
    assert str(load_site("marks").data_cut_date) == "2023-12-31"


def test_one_mark_in_a_mapping_written_by_hand_is_enough_to_refuse_it() -> None:
    Path("config/sites/hand.yaml").write_text(
        "format: canonical\n  # confirm: no\nsource: x\nignore:\n  visits:\n    - confirm: a\n"
    )
    with pytest.raises(StudyError, match="1 guesses are not confirmed yet, the first in line 6"):
        load_site("hand")


def test_a_key_under_which_every_line_was_deleted_counts_as_absent() -> None:
    Path("config/sites/bare.yaml").write_text(
        "format: canonical\nsource: x\nupper_limits:\nignore:\n  visits:\n"
    )
    assert load_site("bare").upper_limits == {}


@pytest.mark.parametrize(
    ("days", "expected", "reason"),
    [
        (
            ["05/01/2016", "12/12/2016"],
            "CHOOSE",
            "2 of 2 cells read as %d/%m/%Y and as %m/%d/%Y: both are possible",
        ),
        (
            ["05/01/2016", "13/12/2016"],
            '"%d/%m/%Y"',
            "2 of 2 cells read as %d/%m/%Y; 1 have a first part > 12",
        ),
        (
            ["05/01/2016", "12/13/2016"],
            '"%m/%d/%Y"',
            "2 of 2 cells read as %m/%d/%Y; 1 have a second part > 12",
        ),
        (["13/01/2016", "12/13/2016"], "CHOOSE", "which is it?"),
        (["13/01/16", "12/12/45"], '"%d/%m/%y"', "two-digit years"),
        (["42384", "42385"], "excel", "2 of 2 cells are day numbers of a spreadsheet"),
        (["13. Jan", "soon"], "CHOOSE", "none of 2 cells reads in a known way"),
    ],
)
def test_the_way_of_writing_dates_is_guessed_only_where_one_alone_is_possible(
    days: list[str], expected: str, reason: str
) -> None:
    feed = Feed(
        {"file": "clinic.csv"},
        {},
        [],
        "visits",
        Layout(Path("clinic.csv"), TableSource(file="clinic.csv"), {}, pl.DataFrame({"visit_date": days})),
    )
    guess_dates(feed, words())

    assert feed.section["dates"]["format"] == expected.strip('"')
    assert reason in feed.why["dates", "format"]


@pytest.mark.parametrize(("n_iso", "asked"), [(99, False), (98, True)])
def test_one_slip_in_a_hundred_days_of_a_workbook_is_no_question(n_iso: int, asked: bool) -> None:
    days = pl.DataFrame({"visit_date": ["31/02/2019", *["2019-03-01"] * n_iso]})
    layout = Layout(Path("clinic.xlsx"), TableSource(file="clinic.xlsx"), {}, days)
    feed = Feed({"file": "clinic.xlsx"}, {}, [], "visits", layout)
    guess_dates(feed, words())

    assert (("dates", "format") in feed.why) == asked
    said = feed.why["dates", "format"] if asked else feed.notes[0]
    assert ("the other 98 of 99 cells are YYYY-MM-DD" if asked else "1 read in no known way") in said


@pytest.mark.parametrize(
    ("unit", "values", "expected"),
    [
        ("mm", [10.0] * 29, None),
        ("mm", [10.0] * 30, "cm"),
        ("mm", [10.0] * 26 + [10.1] * 4, "mm"),
        ("mm", [10.0] * 28 + [10.1] * 2, None),
        ("mg/L", [1.4] * 30, "mg/dL"),
        ("mg/L", [1.4] * 29 + [30.0], "mg/L"),
        ("mg/L", [1.4] * 29, None),
        ("cm", [1.7, 2.5], "m"),
        ("cm", [170.0, 100.0], "cm"),
        ("cm", [66.0, 70.0], None),
        ("kg", [70.0, 80.0, 130.0], "kg"),
        ("kg", [11.0, 12.0], None),
    ],
)
def test_a_unit_is_guessed_from_enough_values_or_asked(
    unit: str, values: list[float], expected: str | None
) -> None:
    assert MEASURED[unit](pl.Series(values), words())[0] == expected


def test_a_heading_and_its_values_that_disagree_are_a_question() -> None:
    visits = [
        {"Pain cm": 70, **{name: cell for name, cell in row.items() if name != "Pain"}} for row in clinic(36)
    ]
    asked = line_of(uk_site("disagree", visits=visits), "pain_mm: CHOOSE")
    assert asked.endswith("# the heading says cm, but 36 of 36 values above 10")


def test_joint_counts_above_28_are_of_68_and_66_and_few_values_are_a_question() -> None:
    many = uk_site("joints", visits=clinic(36, TJC=lambda i: i, SJC=lambda i: i // 2))
    assert line_of(many, "TJC: ").startswith("confirm: TJC: tjc68")
    assert line_of(many, "SJC: ").startswith("confirm: SJC: sjc66")

    few = uk_site("few_joints", visits=clinic(29, TJC=3, SJC=2))
    assert line_of(few, "TJC: ").startswith("confirm: TJC: CHOOSE  ")


def test_values_above_3_under_haq_are_a_question() -> None:
    proposal = uk_site("haq", visits=clinic(36, HAQ=lambda i: 7 if i < 2 else 1))
    assert line_of(proposal, "HAQ: ").startswith("confirm: HAQ: CHOOSE")


def test_a_code_is_a_question_with_what_others_write() -> None:
    patients = [{**row, "Sex": 1 + (row["Sex"] == "F")} for row in uk_tables()["patients"]]
    asked = line_of(uk_site("codes", patients=patients), '"2": CHOOSE')
    assert (
        "NHS and ISO 5218 write 1 male, 2 female; others the reverse. One of: female, male, other, unknown"
        in asked
    )


def test_an_unknown_word_is_asked_with_the_answers_there_are_and_what_becomes_of_it_without_one() -> None:
    tables = uk_tables()
    tables["patients"][0]["Diagnosis"] = "gout"
    tables["treatments"][1]["Reason stopped"] = "felt sick"
    proposal = uk_site("unknown_words", **tables)
    asked = line_of(proposal, "felt sick: CHOOSE")
    assert "One of: primary_inefficacy, secondary_inefficacy, inefficacy, adverse_event," in asked
    assert "If none, delete the line: its cells are left out and listed" in asked
    assert "One of: RA, PsA. If none, delete the line: its rows are set aside" in line_of(
        proposal, "gout: CHOOSE"
    )


def test_a_heading_with_two_meanings_and_a_misspelt_one_are_questions_and_an_unknown_one_is_ignored() -> None:
    visits = [{k: v for k, v in row.items() if k not in ("Pt global", "Clinic date", "Fatigue")} | {
        "PGA": row["Pt global"], "Clinic date": row["Clinic date"], "Fatigeu": row["Fatigue"], "Ward": "A"} for row in clinic(36)]  # fmt: skip
    proposal = uk_site("headings", visits=visits)

    assert "may be patient_global_mm" in line_of(proposal, "PGA: CHOOSE")
    assert "spelt almost like 'fatigue': fatigue_mm?" in line_of(proposal, "Fatigeu: CHOOSE")
    assert line_of(proposal, "Ward").startswith("- confirm: Ward")


def test_the_proposal_shows_words_of_lists_and_counts_and_no_other_cell() -> None:
    """No pseudonym, drug, date, year of birth, result or long text; the site's limit alone is a number of theirs."""
    courses = in_uk_words(canonical_tables())["treatments"]
    courses[0]["Reason stopped"] = "went to live with a relative in another town last year"
    proposal = uk_site("private", treatments=courses)
    cells = {str(cell) for table in canonical_tables().values() for row in table for name, cell in row.items()
             if name.endswith(("_id", "_date")) or name in ("drug", "birth_year", "code", "term", "weight_kg")}  # fmt: skip
    assert not {
        cell for cell in cells if cell and re.search(rf"\b{re.escape(cell)}\b", proposal.replace("drug", ""))
    } - {str(n) for n in range(100)}
    assert "relative" not in proposal
    assert "stop_reason: 1 texts of more than 40 letters not shown" in proposal


def test_drugs_are_never_mapped_and_only_listed_names_make_a_group_of_columns() -> None:
    courses = [
        {"Study no": "SMALLPT01", "Methotrexate start": "13/01/2015", "Metotrexatum start": "13/01/2015"}
    ]
    proposal = uk_site("drugs", treatments=courses)

    assert "drug: Methotrexate" in proposal
    assert "Metotrexatum" in line_of(proposal, "Metotrexatum start")
    assert "drug: Metotrexatum" not in proposal


def test_identifiers_stop_the_proposal_before_anything_is_written() -> None:
    patients = [{**row, "NHS Number": "943 476 5919"} for row in in_uk_words(canonical_tables())["patients"]]
    with pytest.raises(StudyError, match="nothing of it was written") as stopped:
        uk_site("nhs", patients=patients)
    assert "943" not in str(stopped.value)
    assert not Path("config/sites/nhs.yaml").exists()


def test_a_column_declared_to_hold_pseudonyms_passes_and_stays_declared() -> None:
    patients = [
        {"Hospital No": f"PSEUDO{i}", **row}
        for i, row in enumerate(in_uk_words(canonical_tables())["patients"])
    ]
    with pytest.raises(StudyError, match="hospital number"):
        uk_site("hospital", patients=patients)
    map_extract(Path("data/hospital"), None, ["Hospital No"], [])
    confirm("hospital", {"data_cut_date": None})
    assert load_site("hospital").id_columns == ["Hospital No"]


def test_the_same_files_again_ask_nothing_and_write_nothing() -> None:
    uk_site("again")
    with pytest.raises(StudyError, match="are not confirmed yet"):
        map_extract(Path("data/again"), None, [], [])
    before = confirm("again", {"data_cut_date": None})

    assert map_extract(Path("data/again"), None, [], []).startswith("data/again: nothing new")
    assert proposed("again") == before
    assert not Path("config/sites/again.new.yaml").exists()


def test_the_next_extract_is_asked_about_what_is_new_and_about_nothing_else() -> None:
    uk_site("quarter")
    before = confirm("quarter", {"data_cut_date": None})
    later = uk_tables()
    later["visits"] = [{**row, "Ward": "A"} for row in later["visits"]]
    later["treatments"][1]["Reason stopped"] = "felt sick"
    for name, rows in later.items():
        write_rows(Path("data/quarter_2") / f"{name.replace('visits', 'visits_2')}.csv", rows)
    said = map_extract(Path("data/quarter_2"), "quarter", [], [])

    assert said.splitlines()[0] == "data/quarter_2: 2 things that config/sites/quarter.yaml does not know."
    assert proposed("quarter") == before
    new = proposed("quarter.new")
    assert [line.strip().split("  ")[0] for line in new.splitlines() if re.match(r"\s*(- )?confirm: ", line)] == [
        "confirm: source: data/quarter_2", "- confirm: file: visits_2.csv", "- confirm: Ward", "confirm: felt sick: CHOOSE",
    ]  # fmt: skip
    Path("config/sites/quarter.new.yaml").write_text(
        new.replace("confirm: ", "").replace("felt sick: CHOOSE", "felt sick: adverse_event"),
        encoding="utf-8",
    )
    with pytest.raises(StudyError, match="is confirmed already"):
        map_extract(Path("data/quarter_2"), "quarter", [], [])
    Path("config/sites/quarter.new.yaml").rename("config/sites/quarter.yaml")
    found = validated("quarter")
    assert (
        found.tables["treatments"]["stop_reason"].null_count()
        == as_canonical(canonical_tables()).tables["treatments"]["stop_reason"].null_count()
    )
    assert map_extract(Path("data/quarter_2"), "quarter", [], []).startswith("data/quarter_2: nothing new")


def test_the_next_extract_with_dates_the_other_way_round_or_in_another_unit_is_noticed() -> None:
    uk_site("swap")
    confirm("swap", {"data_cut_date": None})
    later = uk_tables("%m/%d/%Y")
    later["visits"] = [{**row, "Pain": row["Pain"] / 10} for row in later["visits"]]
    write_all(Path("data/swap"), later)
    said = map_extract(Path("data/swap"), None, [], [])

    assert "visits, 1, dates, format: was %d/%m/%Y" in said
    assert "visits, 1, units, pain_mm: was mm; 0 of 36 values above 10" in said


def test_a_further_group_a_lost_column_and_a_file_of_a_known_shape_are_noticed() -> None:
    tables = in_uk_words(canonical_tables())
    wide = [{"Study no": "SMALLPT01", "Drug 1": "adalimumab", "Start 1": "13/01/2015"}]
    for name, rows in {**tables, "treatments": wide}.items():
        write_rows(Path("data/groups") / f"{name}.csv", rows)
    map_extract(Path("data/groups"), None, [], [])
    confirm("groups", {"data_cut_date": None})
    write_rows(
        Path("data/groups/treatments.csv"), [{**wide[0], "Drug 2": "rituximab", "Start 2": "14/01/2016"}]
    )
    write_rows(
        Path("data/groups/labs.csv"), [{k: v for k, v in row.items() if k != "ULN"} for row in tables["labs"]]
    )
    write_rows(
        Path("data/groups/visits_q2.csv"),
        [{**row, "Clinic date": "13/11/2023"} for row in tables["visits"][::3]],
    )
    said = map_extract(Path("data/groups"), None, [], [])

    assert "labs.csv: column 'ULN' is no longer there (upper_limit)." in said
    assert "visits, 2, file: read as visits.csv is" in said
    Path("config/sites/groups.yaml").write_text(
        proposed("groups.new").replace("confirm: ", ""), encoding="utf-8"
    )
    found = validated("groups")
    assert found.tables["treatments"]["drug"].to_list() == ["adalimumab", "rituximab"]
    assert found.tables["visits"].height == 4 * len(tables["visits"]) // 3


def test_headings_that_no_word_knows_are_known_once_a_person_has_mapped_them() -> None:
    tables = uk_tables()
    odd = [dict(zip(("a1", "b2", "c3"), list(row.values())[:3], strict=False)) for row in tables["visits"]]
    write_all(Path("data/odd"), {**tables, "visits": odd})
    write_rows(Path("data/odd/visits.csv"), odd, above=2)
    map_extract(Path("data/odd"), None, [], [])
    confirm("odd", {"data_cut_date": None})
    visits = "  visits:\n    file: visits.csv\n    header_row: 3\n    columns: {a1: patient_id, b2: visit_date, c3: tjc28}\n"
    by_hand = proposed("odd").replace("tables:\n", f'tables:\n{visits}    dates: {{format: "%d/%m/%Y"}}\n')
    Path("config/sites/odd.yaml").write_text(by_hand, encoding="utf-8")

    assert map_extract(Path("data/odd"), None, [], []).startswith("data/odd: nothing new")
    assert validated("odd").tables["visits"].height == 36


def test_one_workbook_is_named_by_its_path(capsys: pytest.CaptureFixture[str]) -> None:
    one_workbook(Path("data/book"), canonical_tables())
    assert main(["map", "data/book/register.xlsx", "--site", "book"]) == 0
    assert "config/sites/book.yaml: " in capsys.readouterr().out
    confirm("book", {"data_cut_date": None})
    assert validated("book").tables["visits"].height == 36
    assert main(["map", "data/book/nowhere.xlsx", "--site", "none"]) == 1
    assert capsys.readouterr().err == "data/book/nowhere.xlsx: no such file or folder.\n"


def test_a_folder_in_which_nothing_is_known_is_refused() -> None:
    write_rows(Path("data/strange/a.csv"), [{"x": 1, "y": 2}])
    with pytest.raises(StudyError, match="too few of the headings are known"):
        map_extract(Path("data/strange"), None, [], [])
    write_all(Path("data/spaced"), canonical_tables())
    with pytest.raises(StudyError, match="make the name of a site"):
        map_extract(Path("data/spaced"), "St Elsewhere", [], [])


def test_a_new_column_of_a_canonical_extract_is_asked_about() -> None:
    write_all(Path("data/plain"), canonical_tables())
    map_extract(Path("data/plain"), None, [], [])
    assert "confirm: format: canonical" in proposed("plain")
    confirm("plain", {"data_cut_date": None})
    write_rows(Path("data/plain/visits.csv"), [{**row, "ward": "A"} for row in canonical_tables()["visits"]])

    assert "ignore, visits, ward: a new column" in map_extract(Path("data/plain"), None, [], [])
    Path("config/sites/plain.yaml").write_text(
        proposed("plain.new").replace("confirm: ", ""), encoding="utf-8"
    )
    assert validated("plain").tables["visits"].height == 36


def test_the_form_of_a_recorded_das28_and_the_clinic_are_read_off_the_headings() -> None:
    proposal = uk_site("form", visits=[{**row, "DAS28-CRP": 3.1, "Centre": "North"} for row in clinic(36)])
    assert line_of(proposal, "recorded_das28_form").startswith("confirm: recorded_das28_form: crp4")
    assert line_of(proposal, "clinic: ").startswith("confirm: clinic: Centre")


def test_every_word_stands_for_a_column_or_word_of_ours() -> None:
    known = words()
    for table, headers in known.headers.items():
        assert set(headers.values()) <= set(COLUMNS[table])
    allowed = {
        column.name: set(column.allowed)
        for columns in COLUMNS.values()
        for column in columns.values()
        if column.allowed
    }
    for column, schemes in known.values.items():
        for scheme in schemes:
            assert set(scheme.values()) <= allowed.get(column, set(scheme.values())), column


@pytest.mark.parametrize("text", ["Yes", "12:30", "a: b", "# x", "x # y", "Biologic {n}", "null", "- x", "99", "1e3", "confirm: x", "CHOOSE it", "%d/%m", "é", '"', "[a]", "*a", "TJC", "no"])  # fmt: skip
def test_any_heading_is_read_back_as_it_is(text: str) -> None:
    section = {"columns": {text: "tjc28"}, "ignore": [text]}
    assert yaml.safe_load(written(section, {}, {})) == section
    marked = written(section, {("columns", text): "why", ("ignore", 0): "why"}, {("ignore",): ["a note"]})
    assert yaml.safe_load(
        marked.replace("confirm: ", "", 1) if text != "confirm: x" else written(section, {}, {})
    )

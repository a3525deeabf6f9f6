"""An abstract keeps to the length of its conference; a pasted one is checked number by number."""

from pathlib import Path

import pytest
from pptx import Presentation

from d2tra import cli
from d2tra.config import load_study
from d2tra.definitions import load_definition
from d2tra.disclosure import load_profile
from d2tra.documents.abstract import TO_WRITE, abstract_text, load_conference
from d2tra.documents.contents import report_contents
from d2tra.documents.pasted import check_text
from d2tra.errors import StudyError
from d2tra.reproduction import load_published
from d2tra.tables import write_tables
from d2tra.tables.cells import as_cells, count_cell, proportion_cell, value_cell
from d2tra.tables.table import Table

ROOT = Path(__file__).parents[2]
HEADINGS = "## Background/Aims\n\n## Methods\n\n## Results\n\n## Conclusion\n"  # four words
STATEMENTS = load_published(ROOT / "config/published/audit_2024.yaml").cohorts["audit"].statements
PRINTED = """The first 95 of 722 patients. 13% met the EULAR definition: 75% seropositive, 66% obese, 42% with
fibromyalgia and osteoarthritis; 25% of high, 75% of moderate DAS28. All had 2 or more csDMARDs. High: 67 % three, 33 per cent
four. Moderate: 45%, 45% and 10% tried three, four and five. RA affects 700,000 adults. COVID-19. 95% CI 7.4-20.8."""
COUNTED = as_cells(
    [
        proportion_cell("D2T", "Met", 12, 95),
        *(proportion_cell(f"{n} of 12", "Met", n, 12) for n in (3, 5, 8, 9)),
        *(proportion_cell(f"{n} of 3", "Met", n, 3) for n in (1, 2)),
        *(proportion_cell(f"{n} of 9", "Met", n, 9) for n in (1, 4)),
        count_cell("At least 2 csDMARDs", "All", 722),
        value_cell("estimate", "Obese", "Odds ratio", 3.53, 0.98, 12.72),
    ]
)


def lint(conference, text):
    return load_conference(conference).lint(text)


def test_450_words_are_allowed_and_451_are_not():
    assert lint("bsr", HEADINGS + "word " * 446) == []
    assert lint("bsr", HEADINGS + "word " * 447) == ["451 words: at most 450 are allowed"]


def test_a_table_counts_100_words_whatever_is_in_it():
    table = "\n| a | b |\n|---|---|\n| one two three | 4 |\n"
    assert lint("bsr", HEADINGS + table + "word " * 346) == []
    assert lint("bsr", HEADINGS + table + "word " * 347) == ["451 words: at most 450 are allowed"]
    assert lint("bsr", HEADINGS + table + "text between\n" + table + "word " * 245) == [
        "451 words: at most 450 are allowed"
    ]


def test_title_banners_and_comments_do_not_count():
    text = f"<!-- 1 2 3 -->\n# A title of five words\n\n**SYNTHETIC DATA**\n\n{HEADINGS}" + "word " * 446
    assert lint("bsr", text) == []


def test_3600_characters_with_spaces_are_allowed_and_3601_are_not():
    headings = "".join(f"## {name}\n" for name in load_conference("eular").headings)
    n_headings = len(headings.replace("## ", ""))
    assert lint("eular", headings + "x" * (3600 - n_headings)) == []
    assert lint("eular", headings + "x" * (3601 - n_headings)) == [
        "3601 characters: at most 3600 are allowed"
    ]


def test_a_missing_heading_and_what_is_still_to_be_written_are_named():
    text = HEADINGS.replace("## Methods\n", "") + TO_WRITE
    assert lint("bsr", text) == ["the heading «Methods» is missing", "1 places are still to be written"]


def test_an_unknown_conference_is_answered_with_the_nearest():
    with pytest.raises(StudyError, match="no conference 'bsrr', did you mean 'bsr'"):
        load_conference("bsrr")


def test_the_draft_takes_its_numbers_from_the_tables_and_says_exploratory():
    ratio = value_cell(
        "estimate", "Obese (BMI 30 or above)", "Multivariable (exploratory)", 3.53, 0.98, 12.72
    )
    tables = [
        Table("odds_ratios", "Odds ratios", as_cells([ratio]), ()),
        Table("d2t_characteristics", "Who", as_cells([proportion_cell("Fibromyalgia", "Met", 7, 12)]), ()),
    ]
    contents = report_contents(
        load_study("audit_demo"),
        "audit",
        load_profile("local_audit"),
        True,
        tables,
        [],
        [load_definition("eular_2021")],
    )
    text = abstract_text(contents, tables, load_conference("bsr"))
    assert "Multivariable (exploratory) odds ratios: Obese (BMI 30 or above) 3.53 (0.98–12.72)." in text
    assert "Fibromyalgia: 7/12 (58.3 %; 32.0–80.7)" in text
    assert "SYNTHETIC DATA" in text
    assert lint("bsr", text) == ["2 places are still to be written"]


def test_the_published_abstract_names_its_impossible_percentages_and_the_number_that_no_result_supports():
    found = check_text(PRINTED, [COUNTED], STATEMENTS)
    by_verdict = {
        verdict: found.filter(verdict=verdict)["number"].to_list()
        for verdict in ("impossible", "unsupported")
    }
    assert by_verdict == {"impossible": ["66 %", "45 %", "45 %", "10 %"], "unsupported": ["700000"]}
    reasons = found.filter(verdict="impossible")["why"].to_list()
    assert "8/12 = 66.67 rounds to 67" in reasons[0]
    assert "4/9 = 44.44 rounds to 44" in reasons[1]
    assert "1/9 = 11.11 rounds to 11" in reasons[3]
    assert found.filter(verdict="supported").height == 12


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("12.6 % met", "supported"), ("12.7 % met", "unsupported"), ("13 % met", "supported"), ("12 % met", "unsupported"),
        ("an odds ratio of 3.53", "supported"), ("an odds ratio of 3.5", "unsupported"),
        ("12 patients", "supported"), ("13 patients", "unsupported"), ("1,000 patients", "unsupported"),
    ],
)  # fmt: skip
def test_a_number_is_supported_by_correct_rounding_alone(text, verdict):
    assert check_text(text, [COUNTED])["verdict"].to_list() == [verdict]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("9/12 (75.0 %; 46.8–91.1) were", "supported"), ("9 of 12 (75%)", "supported"), ("9 out of 12", "supported"),
        ("9/12 (76 %)", "impossible"), ("5/9 (56 %)", "unsupported"), ("5 of 12 (41.7 %)", "supported"),
        ("8/12 (66 %)", "impossible"), ("8/12 (67 %)", "supported"), ("4 of 12", "unsupported"),
    ],
)  # fmt: skip
def test_a_fraction_must_be_counted_just_so_and_its_percentage_must_be_its_own(text, verdict):
    assert check_text(text, [COUNTED])["verdict"].to_list()[0] == verdict


def test_a_comment_of_the_draft_itself_is_not_read():
    assert check_text("<!-- 123 of 450 words (2024-11)\n -->", [COUNTED]).is_empty()


def test_digits_of_names_and_the_level_of_an_interval_are_no_numbers():
    assert check_text(
        "DAS28, criterion 2a, COVID-19, eular_2021, 95 % CI, 95% confidence", [COUNTED]
    ).is_empty()


def test_a_number_of_the_protocol_is_known():
    assert check_text("below 7.5 mg", [], known=["at least 7.5 mg/day"])["verdict"].to_list() == ["supported"]


@pytest.fixture
def released(tmp_path, monkeypatch):
    """A study with released numbers of one cohort, in the folder of the command."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(
        "title: T\nsites: [demo]\ncohorts: [{name: audit}]\ndefinitions: [eular_2021]\nseed: 1\n"
        f"published: {ROOT / 'config/published/audit_2024.yaml'}\n"
    )
    numbers = tmp_path / "results/small/private/drafts/local_audit/audit/numbers"
    write_tables([Table("prevalence", "Prevalence", COUNTED, ())], numbers)
    return tmp_path


def run(*arguments):
    return cli.main(["check-numbers", *arguments, "--study", "small.yaml", "--cohort", "audit"])


def test_the_command_lists_each_number_that_is_not_supported_and_fails(released, capsys):
    (released / "pasted.txt").write_text(PRINTED)
    assert run("pasted.txt") == 1
    said = capsys.readouterr().err
    assert "5 findings among 17 numbers" in said
    assert "66 %: impossible" in said
    assert "700000: unsupported" in said


def test_the_command_passes_a_text_whose_numbers_are_all_released(released, capsys):
    (released / "pasted.txt").write_text("12 of 95 (12.6 %) met; odds ratio 3.53.")
    assert run("pasted.txt") == 0
    assert "2 numbers, each supported" in capsys.readouterr().out


def test_the_command_checks_length_and_headings_where_a_conference_is_named(released, capsys):
    (released / "pasted.txt").write_text("## Results\n12 of 95 (12.6 %) met.")
    assert run("pasted.txt", "--conference", "bsr") == 1
    assert "the heading «Methods» is missing" in capsys.readouterr().err


@pytest.mark.parametrize(("said", "verdict"), [("9/12 (75.0 %) were seropositive", 0), ("9/12 (76 %)", 1)])
def test_the_command_reads_a_poster_that_the_authors_have_edited(released, said, verdict):
    poster = Presentation()
    slide = poster.slides.add_slide(poster.slide_layouts[5])
    slide.shapes.title.text = said
    poster.save(released / "poster.pptx")
    assert run("poster.pptx") == verdict


@pytest.mark.parametrize(
    ("file", "kind"), [("nowhere.txt", "UTF-8 text"), ("broken.txt", "UTF-8 text"), ("broken.pptx", ".pptx")]
)
def test_a_file_that_cannot_be_read_is_named_without_a_traceback(released, capsys, file, kind):
    for name in ("broken.txt", "broken.pptx"):
        (released / name).write_bytes(b"\xff\xfe\x00")
    assert run(file) == 1
    assert f"{file}: not readable as {kind}" in capsys.readouterr().err

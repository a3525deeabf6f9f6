"""Every figure, drawn from a few cells: exact, held back, or without any number."""

import io
import re
from functools import cache
from itertools import pairwise

import matplotlib as mpl
import polars as pl
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from d2tra.disclosure import Profile, disclose, load_profile
from d2tra.errors import StudyError
from d2tra.figures import FIGURES, draw_figures, figures_of
from d2tra.figures.style import load_style, mark, render
from d2tra.tables import Table
from d2tra.tables.cells import CELLS as CELLS_SCHEMA
from d2tra.tables.cells import SUPPRESSED, Cell, as_cells, count_cell, proportion_cell, text_cell, value_cell

pytestmark = pytest.mark.filterwarnings("error")  # matplotlib warns of a layout that does not fit
STYLE = load_style()
LOCAL, OPENSAFELY = load_profile("local_audit"), load_profile("opensafely")
KINDS = ("svg", "pdf", "png")
UPPER = "Upper bound (not assessable counted as met)"


def shares(row: str, n_met: int, n_unknown: int, n: int) -> list[Cell]:
    """A line of a table of prevalences."""
    return [
        proportion_cell(row, "Met", n_met, n),
        count_cell(row, "Not met", n - n_met - n_unknown),
        count_cell(row, "Not assessable", n_unknown),
        proportion_cell(row, UPPER, n_met + n_unknown, n),
        proportion_cell(row, "Complete cases", n_met, n - n_unknown),
    ]


# Each table holds a number that opensafely lets out, and one (at most 7) that it holds back.
CELLS: dict[str, list[Cell]] = {
    "selection_flow": [
        count_cell("Patients with a valid row", "Remaining", 120),
        count_cell("Age not known", "Left out", 4),
        count_cell("Age not known", "Remaining", 116),
        count_cell("Patients of another disease than rheumatoid arthritis", "Left out", 21),
        count_cell("Patients of another disease than rheumatoid arthritis", "Remaining", 95),
    ],
    "prevalence": [
        *shares("Difficult to treat (eular_2021, primary)", 12, 9, 95),
        *shares("Strictly so (strict)", 5, 9, 95),
    ],
    "prevalence_by_cohort": [*shares("audit", 5, 9, 95), *shares("full", 98, 40, 722)],
    "definition_overlap": [
        proportion_cell("Met under any definition", "Patients", 12, 95),
        proportion_cell("Met under each definition", "Patients", 12, 95, "eular_2021"),
        proportion_cell("Met under each definition", "Patients", 4, 95, "strict"),
        count_cell("Met under exactly these", "Patients", 8, "eular_2021"),
        count_cell("Met under exactly these", "Patients", 4, "eular_2021 + strict"),
    ],
    "criteria_overlap": [
        proportion_cell("Met each: criteria", "Patients", 30, 90, "1 treatment failure"),
        count_cell("Met each: criteria", "Not assessable", 5, "1 treatment failure"),
        proportion_cell("Met each: criteria", "Patients", 40, 95, "2 signs suggestive of active or progressive disease"),
        count_cell("Met each: criteria", "Not assessable", 0, "2 signs suggestive of active or progressive disease"),
        count_cell("Met exactly these: criteria", "Patients", 25, "2"),
        count_cell("Met exactly these: criteria", "Patients", 15, "1 + 2"),
        count_cell("Met exactly these: criteria", "Patients", 4, "1"),
        proportion_cell("Met each: items of criterion 2", "Patients", 30, 95, "2a activity"),
        count_cell("Met each: items of criterion 2", "Not assessable", 0, "2a activity"),
        proportion_cell("Met each: items of criterion 2", "Patients", 0, 0, "2d progression"),
        count_cell("Met each: items of criterion 2", "Not assessable", 95, "2d progression"),
        count_cell("Met exactly these: items of criterion 2", "Patients", 30, "2a"),
    ],
    "das28_components": [
        *(value_cell("median_iqr", row, group, middle, middle / 2, 1.5 * middle, n=n)
          for row, middle in {"Tender joints (28), joints": 6.0, "ESR, mm/h": 20.0}.items()
          for group, n in {"Met": 12, "Not met": 83, "Not assessable": 4}.items()),
        *(value_cell("mean_sd", f"{score}: points added", group, points, 0.2, level=term, n=n)
          for score, terms in {"DAS28-ESR": {"tender joints": 1.4, "ESR": 1.9}, "DAS28-CRP": {"CRP": 0.8, "constant": 0.96}}.items()
          for group, n in {"Met": 12, "Not assessable": 4}.items() for term, points in terms.items()),
    ],
    "cdai_v_das28_crp": [
        cell
        for drugs, counts in {"On a b/tsDMARD that suppresses CRP": (0, 30, 20, 4), "On no b/tsDMARD that suppresses CRP": (0, 50, 60, 0)}.items()
        for cell in (
            *(count_cell(drugs, f"DAS28-CRP: {das28}", n, f"CDAI: {cdai}")
              for n, (cdai, das28) in zip(counts, [("moderate", "low"), ("moderate", "moderate"), ("low", "low"), ("low", "moderate")], strict=True)),
            count_cell(drugs, "Patients", sum(counts), "both bands known"),
            proportion_cell(drugs, "Patients", 20, sum(counts), "lower band by DAS28-CRP than by CDAI"),
        )
    ],
    "treatment_flows": [
        proportion_cell("Line 1", "Patients", 60, 90, "tnf"),
        proportion_cell("Line 1", "Patients", 30, 90, "other mechanism"),
        count_cell("Line 1 to 2", "Patients", 20, "tnf → jak"),
        count_cell("Line 1 to 2", "Patients", 6, "tnf → tnf"),
        count_cell("Line 1 to 2", "Patients", 8, "tnf → rare ways"),
        count_cell("Line 1 to 2", "Patients", 26, "tnf → no further line"),
        count_cell("Line 1 to 2", "Patients", 30, "other mechanism → jak"),
        proportion_cell("Line 2", "Patients", 50, 64, "jak"),
        proportion_cell("Line 2", "Patients", 6, 64, "tnf"),
        proportion_cell("Line 2", "Patients", 8, 64, "other mechanism"),
    ],
    "d2t_characteristics": [
        proportion_cell("Obese", "Met", 20, 40),
        proportion_cell("Smoking", "Met", 3, 40, "current"),
        count_cell("Smoking", "Met", 2, "not recorded"),
    ],
    "drug_history_by_severity": [
        proportion_cell(f"{band} disease activity", "Met", n, 20, f"{drugs} b/tsDMARDs tried")
        for band, counts in {"Moderate": (9, 11), "High": (3, 17)}.items()
        for drugs, n in zip((2, 3), counts, strict=True)
    ],
    "odds_ratios": [
        proportion_cell("Obese", "Met / patients", 30, 60, "yes"),
        value_cell("estimate", "Obese", "Univariable", 3.5, 0.98, 12.7, level="yes", smallest=20),
        value_cell("estimate", "Fibromyalgia", "Univariable", 9.0, 0.3, 1500.0, level="yes", smallest=1),
        value_cell("estimate", "Obese", "Multivariable", 2.5, 0.9, 7.0, level="yes", smallest=20, note="exploratory"),
        value_cell("estimate", "Fibromyalgia", "Multivariable", None, level="yes"),
    ],
    "odds_ratios_by_cohort": [
        proportion_cell("Univariable", "audit: met / patients", 5, 18, "Obese"),
        value_cell("estimate", "Univariable", "audit: odds ratio", 9.0, 0.3, 1500.0, "Obese", smallest=1),
        value_cell("estimate", "Univariable", "full: odds ratio", 3.5, 0.98, 12.7, "Obese", smallest=20),
        value_cell("estimate", "Univariable", "Ratio of odds ratios, extension ÷ audit", 0.4, 0.1, 2.0, "Obese", smallest=1),
        value_cell("estimate", "Multivariable (exploratory in audit)", "full: odds ratio", 2.5, 0.9, 7.0, "Obese", smallest=20),
    ],
    "time_to_d2t": [
        count_cell("Followed", "Patients", 60),
        *(value_cell("step", "Curve", "Met it by then, %", 100 * n / 60, n, 2 * n, f"{n / 10:.2f}", n=1) for n in range(1, 20)),
        count_cell("Years since the first b/tsDMARD", "At risk", 40, "1 year"),
        value_cell("on_curve", "Years since the first b/tsDMARD", "Met it by then, %", 31.7, 19, 38, "1 year"),
        value_cell("estimate", "Years since the first b/tsDMARD", "Died before it, %", 0.0, level="1 year"),
        count_cell("Years since the first b/tsDMARD", "At risk", 4, "2 years"),
        value_cell("on_curve", "Years since the first b/tsDMARD", "Met it by then, %", None, level="2 years"),
        value_cell("on_curve", "Years since the first b/tsDMARD", "Died before it, %", None, level="2 years"),
    ],
    "missingness": [
        proportion_cell(row, group, n, total)
        for row, counts in {"Sex": (0, 0, 0), "Smoking": (24, 10, 14), "Ethnicity": (4, 4, 0)}.items()
        for group, n, total in zip(("All", "Met", "Not met"), counts, (95, 12, 83), strict=True)
    ],
    "calibration": [
        cell
        for level, risk, n_met, n in (("Group 1", 3.2, 2, 60), ("Group 2", 14.8, 12, 60), ("Group 3", 35.0, 20, 60))
        for cell in (
            value_cell("number", "Risks, made from audit, applied in extension", "Mean predicted risk, %", risk, level=level, smallest=n_met),
            proportion_cell("Risks, made from audit, applied in extension", "Met / patients, %", n_met, n, level),
        )
    ],
    "decision_curve": [
        cell
        for level, net, smallest in (("5 %", 0.08, 40), ("10 %", 0.04, 9), ("15 %", 0.01, 3))
        for cell in (
            proportion_cell("Risks, made from audit, applied in extension", "At or above the threshold", 60, 180, level),
            value_cell("number", "Risks, made from audit, applied in extension", "Net benefit of the model", net, level=level, smallest=smallest),
            value_cell("number", "Risks, made from audit, applied in extension", "Net benefit of acting on all", net - 0.02, level=level, smallest=40),
        )
    ],
    "comparability": [
        proportion_cell("Obese", "audit", 30, 90),
        value_cell("number", "Obese", "Standardised difference", 0.14, smallest=30),
        value_cell("number", "Interstitial lung disease", "Standardised difference", 0.3, smallest=2),
    ],
    "sensitivity": [
        cell
        for row, definition, rules, n_met, smallest in (
            ("1, primary analysis", "eular_2021", "primary", 12, 10), ("2", "eular_2021", "recorded_failures", 5, 3),
            ("3", "d2t_objective", "primary", 9, 8), ("4", "d2t_objective", "recorded_failures", 8, 9),
        )
        for cell in (
            text_cell(row, "Definition", definition), text_cell(row, "Failure rules", rules),
            text_cell(row, "Baseline", "index"), proportion_cell(row, "Met", n_met, 95),
            value_cell("estimate", row, "Odds ratio: Obese", n_met / 3, n_met / 6, n_met * 9.0, smallest=smallest),
            text_cell(row, "Odds ratio: Fibromyalgia", "refused"),
        )
    ],
    "survey_questions": [
        proportion_cell("Best definition", "All respondents", 170, 180, "answered, of those asked"),
        proportion_cell("Best definition", "All respondents", 120, 170, "EULAR 2021"),
        proportion_cell("Best definition", "All respondents", 45, 170, "Two mechanisms and objective inflammation, whatever else there is"),
        proportion_cell("Best definition", "All respondents", 5, 170, "Another"),
        proportion_cell("Fatigue counts", "All respondents", 0, 160, "Yes"),
    ],
    "survey_favours": [
        text_cell("EULAR 2021 (eular_2021, primary)", "Their answer", "Best definition: EULAR 2021"),
        proportion_cell("EULAR 2021 (eular_2021, primary)", "Favoured by clinicians", 120, 170),
        proportion_cell("EULAR 2021 (eular_2021, primary)", "full: Met", 4, 95),
        proportion_cell("Every class failed (poly_refractory)", "Favoured by clinicians", 45, 170),
        text_cell("Every class failed (poly_refractory)", "full: Met", "not in this study"),
    ],
}  # fmt: skip
NOTHING = [text_cell("Nothing", "Note", "no number at all")]


@cache
def tables(profile: Profile) -> list[Table]:
    return [Table(name, name, disclose(as_cells(given), profile)) for name, given in CELLS.items()]


def draw(name: str, profile: Profile, synthetic: bool = True) -> dict[str, bytes | pl.DataFrame]:
    return draw_figures([name], tables(profile), STYLE, "audit", profile, synthetic)


drawn_once = cache(lambda name, profile: draw(name, {"exact": LOCAL, "suppressed": OPENSAFELY}[profile]))


def one_figure(name: str, cells: dict[str, pl.DataFrame], watermark: str | None = None) -> Figure:
    """The figure itself, laid out as it will be written."""
    with mpl.rc_context(STYLE.settings()):
        figure = FIGURES[name].draw(cells, STYLE)
        mark(figure, STYLE, f"Cohort extension · synthetic data · {OPENSAFELY.title}", watermark)
        figure.canvas.draw()
    return figure


def cells_shown(profile: Profile) -> dict[str, pl.DataFrame]:
    return {table.name: table.cells for table in tables(profile)}


def texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def test_the_cells_of_this_test_are_those_of_every_figure():
    assert {kind.table for kind in FIGURES.values()} == set(CELLS)


@pytest.mark.parametrize("profile", ["exact", "suppressed"])
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_comes_as_three_pictures_and_the_cells_behind_it(name, profile):
    files = drawn_once(name, profile)
    assert list(files) == [f"{name}.{ending}" for ending in ("svg", "pdf", "png", "csv")]
    assert files[f"{name}.svg"].startswith(b"<?xml")
    assert files[f"{name}.pdf"].startswith(b"%PDF")
    assert files[f"{name}.png"].startswith(b"\x89PNG")
    shown = cells_shown({"exact": LOCAL, "suppressed": OPENSAFELY}[profile])
    assert files[f"{name}.csv"].equals(shown[FIGURES[name].table])


@pytest.mark.parametrize("name", FIGURES)
def test_a_number_that_is_held_back_says_so_and_only_then(name):
    assert SUPPRESSED in drawn_once(name, "suppressed")[f"{name}.svg"].decode()
    assert SUPPRESSED not in drawn_once(name, "exact")[f"{name}.svg"].decode()


@pytest.mark.parametrize("name", FIGURES)
def test_a_table_without_a_number_to_draw_still_gives_a_figure(name):
    table = FIGURES[name].table
    nothing = [text_cell("Nothing", "Note", "no number at all")]
    given = CELLS[table][:1] if table == "selection_flow" else nothing  # a flow has a first step
    assert texts(one_figure(name, {table: as_cells(given)}))


@pytest.mark.parametrize("name", FIGURES)
def test_a_table_of_which_nothing_may_be_shown_still_gives_a_figure(name):
    numbers = [
        pl.lit(None).cast(CELLS_SCHEMA[column]).alias(column)
        for column in ("n", "total", "estimate", "low", "high")
    ]
    held_back = as_cells(CELLS[FIGURES[name].table]).with_columns(*numbers, note=pl.lit("suppressed"))
    figure = one_figure(name, {FIGURES[name].table: held_back})
    assert any(SUPPRESSED in text.get_text() for text in texts(figure))


def test_a_table_that_stands_once_per_cohort_gives_a_figure_for_each():
    given = [
        Table(f"sensitivity_in_{cohort}", cohort, as_cells(CELLS["sensitivity"]))
        for cohort in ("audit", "full")
    ]
    found = figures_of("all", given)
    assert {name: kind.table for name, kind in found.items()} == {
        f"specification_curve_in_{cohort}": f"sensitivity_in_{cohort}" for cohort in ("audit", "full")
    }
    assert [kind.title.rpartition(", ")[2] for kind in found.values()] == ["cohort audit", "cohort full"]
    files = draw_figures(["specification_curve"], given, STYLE, "validation", LOCAL, True)
    assert files["specification_curve_in_full.csv"].equals(given[1].cells)


def test_an_empty_table_and_one_that_is_not_there_have_no_figure():
    empty = [Table(name, name, as_cells([])) for name in CELLS]
    assert draw_figures("all", empty, STYLE, "audit", LOCAL, True) == {}
    assert draw_figures("all", [], STYLE, "audit", LOCAL, True) == {}


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_cells_give_the_same_bytes(name):
    again = draw(name, OPENSAFELY)
    same = {
        kind: again[f"{name}.{kind}"] == drawn_once(name, "suppressed")[f"{name}.{kind}"] for kind in KINDS
    }
    assert same == dict.fromkeys(KINDS, True)


@pytest.mark.parametrize("name", ["patient_flow", "odds_ratios", "treatment_sequence"])
def test_data_of_patients_carry_no_watermark(name):
    of_patients = draw(name, OPENSAFELY, synthetic=False)[f"{name}.svg"].decode()
    assert "SYNTHETIC" not in of_patients.upper()
    assert f"Cohort audit · {OPENSAFELY.title}" in of_patients


@pytest.mark.parametrize("name", FIGURES)
def test_synthetic_data_carry_a_watermark_and_every_figure_its_cohort_and_profile(name):
    of_nobody = drawn_once(name, "suppressed")[f"{name}.svg"].decode()
    assert "SYNTHETIC DATA" in of_nobody
    assert f"Cohort audit · synthetic data · {OPENSAFELY.title}" in of_nobody


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_smaller_than_eight_points(name):
    figure = one_figure(name, cells_shown(OPENSAFELY), "SYNTHETIC DATA")
    assert min(text.get_fontsize() for text in texts(figure)) >= 8


@pytest.mark.parametrize("profile", [LOCAL, OPENSAFELY], ids=["exact", "suppressed"])
@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_off_at_the_edge(name, profile):
    figure = one_figure(name, cells_shown(profile))
    width, height = figure.get_size_inches()
    left, bottom, right, top = figure.get_tightbbox().extents
    assert min(left, bottom, width - right, height - top) > -0.02


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_says_nothing_of_when_and_by_what_it_was_made(name):
    files = drawn_once(name, "exact")
    assert b"<dc:date>" not in files[f"{name}.svg"]
    assert b"/CreationDate" not in files[f"{name}.pdf"]
    assert b"Software" not in files[f"{name}.png"]


def test_the_order_asked_for_is_kept_and_a_figure_that_does_not_exist_is_named_with_the_nearest():
    given = tables(LOCAL)
    assert list(figures_of(["odds_ratios", "prevalence"], given)) == ["odds_ratios", "prevalence"]
    with pytest.raises(StudyError, match="did you mean 'odds_ratios'"):
        figures_of(["odd_ratios"], given)


def test_prevalence_is_drawn_per_definition_by_name_with_a_bar_up_to_the_upper_bound():
    figure = one_figure("prevalence_by_definition", cells_shown(LOCAL))
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["eular_2021, primary", "strict"]
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert bars == [
        pytest.approx((100 * 12 / 95, 100 * 21 / 95)),
        pytest.approx((100 * 5 / 95, 100 * 14 / 95)),
    ]


def test_a_prevalence_that_is_held_back_has_neither_point_nor_bar():
    axes = one_figure("prevalence_by_definition", cells_shown(OPENSAFELY)).axes[0]
    assert len(axes.patches) == 1
    assert len(axes.lines) == 2  # the interval and the point of the other definition


def luma(colour: str) -> float:
    """What a grey print makes of the colour, 0 to 255 (ITU-R BT.709)."""
    return 255 * sum(
        part * weight for part, weight in zip(to_rgb(colour), (0.2126, 0.7152, 0.0722), strict=True)
    )


def test_colours_side_by_side_differ_by_forty_steps_of_grey():
    greys = [luma(colour) for colour in STYLE.series]
    assert min(abs(one - other) for one, other in pairwise(greys)) >= 40
    assert list(STYLE.colours)[:4] == [
        "main",
        "second",
        "third",
        "fourth",
    ]  # figures that take them in this order
    assert abs(luma(STYLE.severity["high"]) - luma(STYLE.severity["moderate"])) >= 40


def test_the_colours_of_old_would_not_have_passed_in_grey():
    assert abs(luma("#009E73") - luma("#CC79A7")) < 40  # Okabe & Ito: green beside purple


def rendered(**how) -> dict[str, bytes]:
    return render(one_figure("prevalence", cells_shown(LOCAL)), STYLE, **how)


@pytest.mark.parametrize("size", ["slide", "poster"])
def test_a_larger_size_enlarges_every_picture_and_leaves_its_layout(size):
    times, as_printed, enlarged = STYLE.sizes[size], rendered(), rendered(size=size)
    sides = [re.search(rb'width="([\d.]+)pt" height="([\d.]+)pt" viewBox="([^"]+)"', given["svg"]).groups() for given in (as_printed, enlarged)]  # fmt: skip
    assert sides[0][2] == sides[1][2]
    for before, after in zip(sides[0][:2], sides[1][:2], strict=True):
        assert float(after) == pytest.approx(times * float(before), rel=1e-6)
    assert as_printed["svg"].partition(b"viewBox")[2] == enlarged["svg"].partition(b"viewBox")[2]
    boxes = [re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", given["pdf"])[1] for given in (as_printed, enlarged)]
    assert float(boxes[1]) == pytest.approx(times * float(boxes[0]))
    pictures = [Image.open(io.BytesIO(given["png"])) for given in (as_printed, enlarged)]
    assert pictures[1].width == pytest.approx(times * pictures[0].width, abs=2)
    assert [round(picture.info["dpi"][0]) for picture in pictures] == [300, 300]
    assert enlarged == rendered(size=size)


def test_the_sizes_are_the_column_and_the_page_of_a_journal():
    assert STYLE.width_mm == {"column": 85, "page": 176}
    assert STYLE.sizes["print"] == 1


def test_a_tiff_is_made_only_on_request_and_has_six_hundred_dots_per_inch_and_no_transparency():
    assert list(rendered()) == ["svg", "pdf", "png"]
    tiff = rendered(tiff=True)["tiff"]
    picture = Image.open(io.BytesIO(tiff))
    assert (picture.mode, picture.info["compression"]) == ("RGB", "tiff_lzw")
    assert [float(dots) for dots in picture.info["dpi"]] == [600, 600]
    assert picture.width == pytest.approx(600 * STYLE.width_mm["page"] / 25.4, abs=2)
    assert not {305, 306, 315, 316} & set(picture.tag_v2)  # program, date, person, computer
    assert tiff == rendered(tiff=True)["tiff"]
    files = draw_figures(["prevalence"], tables(LOCAL), STYLE, "audit", LOCAL, True, tiff=True)
    assert list(files) == [f"prevalence.{ending}" for ending in ("svg", "pdf", "png", "tiff", "csv")]


def test_a_band_between_two_lines_is_as_high_as_the_patients_who_went_that_way():
    axes = one_figure("treatment_sequence", cells_shown(LOCAL)).axes[0]
    bands = [patch.get_path().vertices[:, 1] for patch in axes.patches if len(patch.get_path().vertices) == 9]
    assert [band[7] - band[0] for band in bands] == [6, 20, 30]  # tnf to tnf, tnf to jak, others to jak
    boxes = [patch for patch in axes.patches if patch.get_path().vertices.shape[0] == 5]
    assert [box.get_height() for box in boxes] == [
        60,
        30,
        6,
        50,
        8,
        8,
    ]  # the lines' boxes, then the stub of rare ways
    assert "grey stub" in axes.texts[-1].get_text()


def test_a_way_that_is_held_back_has_no_band_and_its_box_no_number():
    axes = one_figure("treatment_sequence", cells_shown(OPENSAFELY)).axes[0]
    bands = [patch.get_path().vertices[:, 1] for patch in axes.patches if len(patch.get_path().vertices) == 9]
    assert sorted(band[7] - band[0] for band in bands if band[7] > band[0]) == [20, 30]
    said = [text.get_text() for text in axes.texts]
    assert f"tnf {SUPPRESSED}" in said
    assert f"{SUPPRESSED}: 1 ways from line to line, not drawn" in said[-1]


def test_the_parts_of_a_bar_add_up_to_the_score_and_a_bar_held_back_has_none():
    axes = one_figure("das28_components", cells_shown(OPENSAFELY)).axes[-1]
    ends = {
        round(bar.get_y() + bar.get_height() / 2): bar.get_x() + bar.get_width()
        for bar in axes.patches
        if bar.get_width()
    }
    assert ends == {0: pytest.approx(3.3), 2: pytest.approx(1.76)}
    assert [label.get_text() for label in axes.get_yticklabels()][1] == "DAS28-ESR: Not assessable"
    assert sum(SUPPRESSED in text.get_text() for text in axes.texts) == 2


def test_a_field_of_the_two_scores_is_the_darker_the_more_are_in_it_and_has_none_where_held_back():
    left, right = one_figure("cdai_v_das28_crp", cells_shown(OPENSAFELY)).axes[:2]
    shades = [patch.get_alpha() for patch in left.patches if patch.get_fill()]
    assert shades == [
        pytest.approx(0.06),
        1.0,
        pytest.approx(0.06 + 0.94 * 20 / 30),
    ]  # nobody, 30, 20; 4 is held back
    assert [text.get_text() for text in left.texts] == ["0", "30", "20", "×"]
    assert len([patch for patch in right.patches if not patch.get_fill()]) == 2  # framed: both say the same


def test_unknown_criteria_are_a_bar_of_their_own_beside_those_that_are_met():
    figure = one_figure("criteria_overlap", cells_shown(LOCAL))
    bars = [[bar.get_width() for bar in axes.patches] for axes in figure.axes[2::3]]
    assert bars == [[30, 5, 40], [30, 0, 95]]  # criterion 1: 30 and 5 unknown; 2d: unknown in all 95


def test_the_name_of_a_factor_stands_beside_its_points_however_many_they_are():
    given = [
        value_cell("estimate", row, model, 2.0, 1.0, 4.0)
        for row, model in (("Obese", "Univariable"), ("Obese", "Multivariable"), ("Sex", "Univariable"))
    ]
    axes = one_figure("odds_ratios", {"odds_ratios": as_cells(given)}).axes[0]
    points = {text.get_text(): [] for text in axes.get_yticklabels()}
    for line in axes.lines:
        if line.get_linestyle() == "None" and len(line.get_ydata()):
            points["Sex" if line.get_ydata()[0] > 1.5 else "Obese"].append(float(line.get_ydata()[0]))
    assert {name: sum(places) / len(places) for name, places in points.items()} == dict(
        zip(points, axes.get_yticks(), strict=True)
    )
    assert [len(places) for places in points.values()] == [2, 1]

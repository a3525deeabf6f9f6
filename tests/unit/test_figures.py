"""Every figure, drawn from a few cells: exact, held back, or without any number."""

from functools import cache

import matplotlib as mpl
import polars as pl
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from d2tra.disclosure import Profile, disclose, load_profile
from d2tra.errors import StudyError
from d2tra.figures import FIGURES, draw_figures, figures_of
from d2tra.figures.style import load_style, mark
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
}  # fmt: skip
NOTHING = [text_cell("Nothing", "Note", "no number at all")]


def tables(cells: dict[str, list[Cell]], profile: Profile) -> list[Table]:
    return [Table(name, name, disclose(as_cells(given), profile)) for name, given in cells.items()]


def draw(name: str, profile: Profile, synthetic: bool = True) -> dict[str, bytes | pl.DataFrame]:
    return draw_figures([name], tables(CELLS, profile), STYLE, "audit", profile, synthetic)


drawn_once = cache(lambda name, profile: draw(name, {"exact": LOCAL, "suppressed": OPENSAFELY}[profile]))


def one_figure(name: str, cells: dict[str, pl.DataFrame], watermark: str | None = None) -> Figure:
    """The figure itself, laid out as it will be written."""
    with mpl.rc_context(STYLE.settings()):
        figure = FIGURES[name].draw(cells, STYLE)
        mark(figure, STYLE, f"Cohort extension · synthetic data · {OPENSAFELY.title}", watermark)
        figure.canvas.draw()
    return figure


def cells_shown(profile: Profile) -> dict[str, pl.DataFrame]:
    return {table.name: table.cells for table in tables(CELLS, profile)}


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
    given = [Table(f"sensitivity_in_{cohort}", cohort, as_cells(CELLS["sensitivity"])) for cohort in ("audit", "full")]
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


@pytest.mark.parametrize("name", FIGURES)
def test_synthetic_data_carry_a_watermark_and_every_figure_its_cohort_and_profile(name):
    of_nobody = drawn_once(name, "suppressed")[f"{name}.svg"].decode()
    assert "SYNTHETIC DATA" in of_nobody
    assert f"Cohort audit · synthetic data · {OPENSAFELY.title}" in of_nobody
    of_patients = draw(name, OPENSAFELY, synthetic=False)[f"{name}.svg"].decode()
    assert "SYNTHETIC" not in of_patients.upper()
    assert f"Cohort audit · {OPENSAFELY.title}" in of_patients


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
    given = tables(CELLS, LOCAL)
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

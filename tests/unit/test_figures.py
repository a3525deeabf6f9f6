"""Every figure, drawn from a few cells: exact, held back, or without any number."""

from collections.abc import Sequence

import matplotlib as mpl
import polars as pl
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from d2tra.disclosure import disclose, load_profile
from d2tra.errors import StudyError
from d2tra.figures import FIGURES, draw_figures, figures_of
from d2tra.figures.style import load_style, mark
from d2tra.tables import Table
from d2tra.tables.cells import SUPPRESSED, Cell, as_cells, count_cell, proportion_cell, text_cell, value_cell

pytestmark = pytest.mark.filterwarnings("error")  # matplotlib warns of a layout that does not fit
STYLE = load_style()
LOCAL, OPENSAFELY = load_profile("local_audit"), load_profile("opensafely")
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
}  # fmt: skip
NOTHING = [text_cell("Nothing", "Note", "no number at all")]
EMPTY = {**dict.fromkeys(CELLS, NOTHING), "selection_flow": CELLS["selection_flow"][:1]}


def tables(cells: dict[str, list[Cell]], profile) -> list[Table]:
    return [Table(name, name, disclose(as_cells(given), profile)) for name, given in cells.items()]


def draw(names: Sequence[str] | str, cells: dict[str, list[Cell]], profile, synthetic: bool = True):
    return draw_figures(names, tables(cells, profile), STYLE, "audit", profile, synthetic)


def one_figure(name: str, cells: dict[str, list[Cell]], profile) -> Figure:
    """The figure itself, laid out as it will be written."""
    by_name = {table.name: table.cells for table in tables(cells, profile)}
    with mpl.rc_context(STYLE.settings()):
        figure = FIGURES[name].draw(by_name, STYLE)
        mark(figure, STYLE, "Cohort audit", "SYNTHETIC DATA")
        figure.canvas.draw()
    return figure


def texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def test_the_cells_of_this_test_are_those_of_every_figure():
    assert {kind.table for kind in FIGURES.values()} == set(CELLS)


@pytest.mark.parametrize("profile", [LOCAL, OPENSAFELY], ids=["exact", "suppressed"])
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_comes_as_three_pictures_and_the_cells_behind_it(name, profile):
    files = draw([name], CELLS, profile)
    assert list(files) == [f"{name}.{ending}" for ending in ("svg", "pdf", "png", "csv")]
    assert files[f"{name}.svg"].startswith(b"<?xml")
    assert files[f"{name}.pdf"].startswith(b"%PDF")
    assert files[f"{name}.png"].startswith(b"\x89PNG")
    shown = disclose(as_cells(CELLS[FIGURES[name].table]), profile)
    assert files[f"{name}.csv"].equals(shown)


@pytest.mark.parametrize("name", FIGURES)
def test_a_number_that_is_held_back_says_so_and_only_then(name):
    held_back, exact = (
        draw([name], CELLS, profile)[f"{name}.svg"].decode() for profile in (OPENSAFELY, LOCAL)
    )
    assert SUPPRESSED in held_back
    assert SUPPRESSED not in exact


@pytest.mark.parametrize("name", FIGURES)
def test_a_table_without_a_number_to_draw_still_gives_a_figure(name):
    assert draw([name], EMPTY, LOCAL)[f"{name}.svg"].startswith(b"<?xml")


@pytest.mark.parametrize("name", FIGURES)
def test_a_table_of_which_nothing_may_be_shown_still_gives_a_figure(name):
    nothing_shown = {
        table: as_cells(cells).with_columns(
            pl.lit(None, dtype).alias(column)
            for column, dtype in {"n": pl.Int64, "total": pl.Int64, "estimate": pl.Float64, "low": pl.Float64,
                                  "high": pl.Float64}.items()
        ).with_columns(note=pl.lit("suppressed"))
        for table, cells in CELLS.items()
    }  # fmt: skip
    given = [Table(table, table, cells) for table, cells in nothing_shown.items()]
    files = draw_figures([name], given, STYLE, "audit", OPENSAFELY, False)
    assert SUPPRESSED in files[f"{name}.svg"].decode()


def test_an_empty_table_and_one_that_is_not_there_have_no_figure():
    empty = [Table(name, name, as_cells([])) for name in CELLS]
    assert draw_figures("all", empty, STYLE, "audit", LOCAL, True) == {}
    assert draw_figures("all", [], STYLE, "audit", LOCAL, True) == {}


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_cells_give_the_same_bytes(name):
    first, second = (draw([name], CELLS, OPENSAFELY) for _ in range(2))
    assert [first[f"{name}.{kind}"] == second[f"{name}.{kind}"] for kind in ("svg", "pdf", "png")] == [
        True
    ] * 3


@pytest.mark.parametrize("name", FIGURES)
def test_synthetic_data_carry_a_watermark_and_every_figure_its_cohort_and_profile(name):
    drawn = draw([name], CELLS, OPENSAFELY)[f"{name}.svg"].decode()
    assert "SYNTHETIC DATA" in drawn
    assert f"Cohort audit · synthetic data · {OPENSAFELY.title}" in drawn
    of_patients = draw([name], CELLS, OPENSAFELY, synthetic=False)[f"{name}.svg"].decode()
    assert "SYNTHETIC" not in of_patients.upper()
    assert f"Cohort audit · {OPENSAFELY.title}" in of_patients


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_smaller_than_eight_points(name):
    assert min(text.get_fontsize() for text in texts(one_figure(name, CELLS, OPENSAFELY))) >= 8


@pytest.mark.parametrize("profile", [LOCAL, OPENSAFELY], ids=["exact", "suppressed"])
@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_cut_off_at_the_edge(name, profile):
    figure = one_figure(name, CELLS, profile)
    page = figure.bbox.padded(1)
    outside = [
        text.get_text()
        for text in texts(figure)
        for corner in text.get_window_extent().corners()
        if not page.contains(*corner)
    ]
    assert outside == []


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_says_nothing_of_when_and_by_what_it_was_made(name):
    files = draw([name], CELLS, LOCAL)
    assert b"<dc:date>" not in files[f"{name}.svg"]
    assert b"/CreationDate" not in files[f"{name}.pdf"]
    assert b"atplotlib" not in files[f"{name}.png"]


def test_the_order_asked_for_is_kept_and_a_figure_that_does_not_exist_is_named_with_the_nearest():
    given = tables(CELLS, LOCAL)
    assert list(figures_of(["odds_ratios", "prevalence"], given)) == ["odds_ratios", "prevalence"]
    with pytest.raises(StudyError, match="did you mean 'odds_ratios'"):
        figures_of(["odd_ratios"], given)


def test_prevalence_is_drawn_per_definition_by_name_with_a_bar_up_to_the_upper_bound():
    figure = one_figure("prevalence_by_definition", CELLS, LOCAL)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["eular_2021, primary", "strict"]
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert bars == [
        pytest.approx((100 * 12 / 95, 100 * 21 / 95)),
        pytest.approx((100 * 5 / 95, 100 * 14 / 95)),
    ]


def test_a_prevalence_that_is_held_back_has_neither_point_nor_bar():
    axes = one_figure("prevalence_by_definition", CELLS, OPENSAFELY).axes[0]
    assert len(axes.patches) == 1
    assert len(axes.lines) == 2  # the interval and the point of the other definition

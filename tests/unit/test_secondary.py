"""What must not be subtracted: margins, cohorts, an earlier release; and what stays as it is."""

import polars as pl
import pytest

from d2tra import io
from d2tra.disclosure import load_profile
from d2tra.disclosure.ledger import LEDGER, released_cells
from d2tra.disclosure.primary import released_range, rounded
from d2tra.disclosure.relations import bind
from d2tra.disclosure.secondary import Released, release_tables
from d2tra.tables import Table
from d2tra.tables.cells import as_cells, count_cell, proportion_cell, value_cell
from release_attack import build, ledger_of, release, simulate

ACRO = load_profile("acro")
NOTHING = pl.DataFrame(schema=LEDGER)
MEMBERS = {"audit": {1, 2}, "extension": {3, 4}, "full": {1, 2, 3, 4}}


def table(name: str, *cells: dict) -> Table:
    return Table(name, name, as_cells(cells))


def groups(everyone: int, met: int, not_met: int) -> list[dict]:
    sizes = {"All": everyone, "Met": met, "Not met": not_met}
    return [count_cell("Patients", column, n) for column, n in sizes.items()]


def let_out(*tables: Table, profile=ACRO, cohort="audit", earlier=None, ledger=NOTHING) -> list[Table]:
    return release_tables(cohort, tables, profile, MEMBERS, earlier or {}, ledger)[0]


def shown(table: Table, row: str, column: str) -> int | None:
    return table.cells.filter(row=row, column=column)["n"].item()


@pytest.mark.parametrize("name", ["opensafely", "midpoint6", "acro"])
def test_a_released_count_says_of_the_exact_one_what_its_rounding_leaves_open(name: str) -> None:
    profile = load_profile(name)
    for n in (0, *range(profile.suppress_up_to + 1, 100)):
        least, most = released_range(rounded(n, profile), profile)
        same = [
            m
            for m in (0, *range(profile.suppress_up_to + 1, 120))
            if rounded(m, profile) == rounded(n, profile)
        ]
        assert (least, most) == (same[0], same[-1])


def test_a_small_group_is_not_given_back_by_the_whole_and_the_other_group() -> None:
    (out,) = let_out(table("table_1", *groups(95, 4, 91)))
    assert shown(out, "Patients", "Met") is None
    assert None in (shown(out, "Patients", "All"), shown(out, "Patients", "Not met"))


def test_the_same_group_is_held_back_in_every_table_that_counts_it() -> None:
    row = "Difficult-to-treat disease (eular_2021, primary)"
    first = table("table_1", *groups(95, 4, 91))
    second = table("prevalence", proportion_cell(row, "Met", 4, 95), count_cell(row, "Not met", 91), count_cell(row, "Not assessable", 0),
                   proportion_cell(row, "Upper bound (not assessable counted as met)", 4, 95))  # fmt: skip
    one, other = let_out(first, second)
    wholes = (shown(one, "Patients", "All"), other.cells["total"].max())
    parts = (shown(one, "Patients", "Not met"), shown(other, row, "Not met"))
    assert wholes == (None, None) or parts == (None, None)


def test_what_a_cohort_hides_is_not_the_difference_of_two_others() -> None:
    audit, extension, full = (
        table("table_1", *groups(n, met, n - met)) for n, met in ((95, 4), (627, 60), (722, 64))
    )
    earlier: dict[str, Released] = {}
    for cohort, exact in (("audit", audit), ("extension", extension), ("full", full)):
        earlier[cohort] = Released([exact], let_out(exact, cohort=cohort, earlier=earlier))
    met = {cohort: shown(one.shown[0], "Patients", "Met") for cohort, one in earlier.items()}
    assert met["audit"] is None
    assert None in (met["extension"], met["full"])


def test_a_cohort_that_is_not_there_is_still_a_difference() -> None:
    audit, full = (table("table_1", *groups(n, met, n - met)) for n, met in ((95, 40), (722, 43)))
    earlier = {"audit": Released([audit], let_out(audit))}
    bound = bind({"audit": [audit], "full": [full]}, {"audit": {1}, "full": {1, 2}})
    assert bound.values["full less audit", "Patients", None, "Met"] == 3
    out, _ = release_tables("full", [full], ACRO, {"audit": {1}, "full": {1, 2}}, earlier, NOTHING)
    assert shown(out[0], "Patients", "Met") is None


def test_of_a_median_only_the_number_of_values_is_held_back() -> None:
    median = value_cell("median_iqr", "Age, years", "Met", 61.0, 55.0, 70.0, n=38)
    cells = [*groups(95, 40, 55), median, count_cell("Age, years", "Met", 2, "not recorded")]
    cell = let_out(table("table_1", *cells))[0].cells.filter(kind="median_iqr").row(0, named=True)
    assert (cell["n"], cell["estimate"], cell["note"]) == (None, 61.0, None)


def test_levels_by_size_stand_in_the_order_of_what_is_shown() -> None:
    counts = {"b + c": 40, "z": 9, "a": 8, "m": 7}
    cells = [count_cell("Met under exactly these", "Patients", n, level) for level, n in counts.items()]
    out = let_out(table("definition_overlap", *cells))[0].cells
    assert out["level"].to_list() == ["b + c", "a", "m", "z"]


def test_a_small_difference_from_an_earlier_release_is_held_back_where_counts_are_exact() -> None:
    old = released_cells(
        "old",
        "audit",
        let_out(table("table_1", count_cell("Obese", "All", 40), count_cell("Frail", "All", 40))),
    )
    (out,) = let_out(
        table("table_1", count_cell("Obese", "All", 43), count_cell("Frail", "All", 60)), ledger=old
    )
    assert (shown(out, "Obese", "All"), shown(out, "Frail", "All")) == (None, 60)
    rounds = load_profile("opensafely")
    (out,) = let_out(table("table_1", count_cell("Obese", "All", 43)), ledger=old, profile=rounds)
    assert shown(out, "Obese", "All") == 45


@pytest.mark.parametrize("profile", ["opensafely", "acro", "midpoint6"])
def test_the_same_release_again_is_the_same(profile: str) -> None:
    counts, rules = simulate(8), load_profile(profile)
    first = release(counts, rules, ["audit", "extension", "full"])
    again = release(counts, rules, ["audit", "extension", "full"], ledger=ledger_of(first))
    for cohort in first:
        assert [t.cells.rows() for t in first[cohort]] == [t.cells.rows() for t in again[cohort]]


def test_exact_numbers_of_the_inside_profile_are_left_alone() -> None:
    exact = build(simulate(2), "audit")
    out, held_back = release_tables("audit", exact, load_profile("local_audit"), MEMBERS, {}, NOTHING)
    assert [t.cells["n"].to_list() for t in out] == [t.cells["n"].to_list() for t in exact]
    assert held_back.is_empty()


def test_every_cell_held_back_is_listed_with_the_reason() -> None:
    exact = build(simulate(4), "audit")
    out, held_back = release_tables("audit", exact, ACRO, MEMBERS, {}, NOTHING)
    assert held_back.height == sum(table.cells.filter(note="suppressed").height for table in out)
    assert {why.split(":")[0] for why in held_back["why"]} == {"small count", "with it could be worked out"}


def test_a_text_that_a_spreadsheet_would_run_begins_with_an_apostrophe() -> None:
    frame = pl.DataFrame(
        {"text": ["=1+1", "+a", "-a", "@a", "\ta", "\ra", "a=1", "", None], "n": range(-4, 5)}
    )
    expected = ["'=1+1", "'+a", "'-a", "'@a", "'\ta", "'\ra", "a=1", "", None]
    assert io.neutralised(frame)["text"].to_list() == expected
    assert io.neutralised(frame)["n"].to_list() == frame["n"].to_list()

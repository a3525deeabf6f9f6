"""In which order the b/tsDMARDs were given, how long each line lasted, and what had not been tried. Descriptive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from d2tra.risk_factor_plan import Characteristic
from d2tra.risk_factors import DAYS_PER_YEAR
from d2tra.survival import kaplan_meier, time_until
from d2tra.tables.cells import Cell, as_cells, count_cell, proportion_cell, value_cell
from d2tra.tables.describe import describe, row_label
from d2tra.tables.results import WILSON, Results
from d2tra.tables.table import Table
from d2tra.treatment.sequence import RISKS, mechanism_availability, untried_mechanisms

KEY = ["site", "patient_id"]
DAYS_PER_MONTH = DAYS_PER_YEAR / 12
LINES_SHOWN, PATTERNS_SHOWN, PATTERN_LENGTH = 4, 10, 3
ARROW, OTHERS, MANY = " → ", "other sequences", "3 or more"
SOURCE = "sequence.parquet"
SWITCHES = {
    "within_class": "to another drug of a class tried before",
    "new_mechanism": "to a new mechanism",
    "restart": "back to a drug given before",
}
RISK_WORDS = {"zoster": "zoster", "liver": "liver injury", "tb": "tuberculosis"}
NOTES = (
    WILSON,
    "Descriptive, never a recommendation: what was given, in which order; it does not say what should be given next.",
    "b/tsDMARD courses that started by the index date, in the order of their start; patients without one are left out. The "
    "met have failed drugs by definition: that they have more and shorter lines is no finding.",
    "Sequence of mechanisms: the first three different ones, each where it was first tried; the commonest are shown.",
    "Switched: patients, of those with two or more courses. Switches: their number, several of one patient included.",
    "Time on a line: Kaplan–Meier median [quartiles], censored where the drug was still taken at the data cut (∞: not "
    "reached); imputed days of a drug given in cycles count.",
    "Untried: mechanisms licensed for the disease by the index date of which no course had started; IL-1 is not counted. "
    "Licence dates and risk flags are professional knowledge, unverified.",
    "Flagged together: two or more drugs of any kind that are flagged for the risk (moderate or yes), taken at some time "
    "during the same b/tsDMARD course.",
)


def treatment_sequence(results: Results) -> Table:
    """Returns, in all members, the met and the not met: courses per patient, first mechanism, order of the first three
    mechanisms, switches within class and to a new mechanism, time on each line, mechanisms untried at the index date,
    and risks flagged for several drugs together; no cell where the study has no sequence."""
    title = f"Sequence of b/tsDMARDs, cohort {results.cohort}"
    if results.sequence is None:
        return Table("treatment_sequence", title, as_cells([]))
    members = results.analysis_set.select(*KEY, "index_date", results.primary)
    lines = results.sequence.join(members, on=KEY).filter(pl.col("start_date") <= pl.col("index_date"))
    patients = _with_rare_orders_merged(members.join(_per_patient(lines), on=KEY))
    columns = {"All": patients, **results.groups(patients)}
    lines_of = {"All": lines, **results.groups(lines)}
    cells = [count_cell("Patients with a b/tsDMARD", name, group.height) for name, group in columns.items()]
    cells += results.presumed_cells()
    for row in _rows_of_order(patients):
        cells += describe(row, columns)
    cells += _switches(columns, lines_of)
    for row in _rows_of_choice(patients):
        cells += describe(row, columns)
    for number in range(1, LINES_SHOWN + 1):
        cells += _time_on_line(number, lines_of)
    return Table("treatment_sequence", title, as_cells(cells), results.footnotes(*NOTES))


def product_limit_quartiles(
    days: pl.Series, ended: pl.Series
) -> tuple[float | None, float | None, float | None]:
    """Returns when 25, 50 and 75 % had ended by the Kaplan–Meier estimate: the first time at which no more than 75, 50,
    25 % go on; infinity: not reached; null: nobody. `ended`: False = censored at that time (after the ends of the same day)."""
    curve = kaplan_meier(days, ended)
    first, median, third = (time_until(curve, share).estimate for share in (0.25, 0.5, 0.75))
    return first, median, third


def _per_patient(lines: pl.DataFrame) -> pl.DataFrame:
    """One row per patient with a line: what the rows of the table describe."""
    is_new = pl.col("change").is_in(["first", "new_mechanism"])
    order = lines.sort(*KEY, "position").group_by(KEY, maintain_order=True)
    found = order.agg(
        pl.col("disease", "index_date").first(),
        n_courses=pl.len().cast(pl.Int64),
        first_mechanism=pl.col("mechanism").first(),
        order=pl.col("mechanism").filter(is_new).head(PATTERN_LENGTH).str.join(ARROW),
        **{change: (pl.col("change") == change).any() for change in SWITCHES},
        **{
            f"{risk}_together": (pl.col(f"{risk}_together").str.count_matches(",") > 0).any()
            for risk in RISKS
        },
    )
    untried = untried_mechanisms(lines, found.select(*KEY, "disease", date="index_date"), KEY)
    names = pl.col("mechanisms_untried").str.split(", ").list.eval(pl.element().filter(pl.element() != ""))
    each = {
        f"untried_{mechanism}": names.list.contains(mechanism) for mechanism in _countable_mechanisms(found)
    }
    number = pl.when(names.list.len() > 2).then(pl.lit(MANY)).otherwise(names.list.len().cast(pl.String))
    untried = untried.select(*KEY, n_untried=pl.when(names.is_not_null()).then(number), **each)
    return found.drop("index_date", "disease").join(untried, on=KEY)


def _countable_mechanisms(patients: pl.DataFrame) -> list[str]:
    listed = mechanism_availability().filter(
        "counted", pl.col("disease").is_in(patients["disease"].implode())
    )
    return listed["mechanism"].unique(maintain_order=True).to_list()


def _with_rare_orders_merged(patients: pl.DataFrame) -> pl.DataFrame:
    common = _levels(patients["order"])[:PATTERNS_SHOWN]
    return patients.with_columns(
        order=pl.when(pl.col("order").is_in(common)).then("order").otherwise(pl.lit(OTHERS))
    )


def _levels(values: pl.Series) -> list[str]:
    """The commonest first; what is merged, last."""
    counted = values.drop_nulls().value_counts().sort("count", values.name, descending=[True, False])
    return sorted(counted[values.name].to_list(), key=lambda level: level == OTHERS)


def _rows_of_order(patients: pl.DataFrame) -> list[Characteristic]:
    rows = [
        Characteristic(
            name="n_courses", title="Length of the sequence", coding="number", unit="courses", source=SOURCE
        )
    ]
    titles = {"first_mechanism": "First mechanism", "order": "Sequence of mechanisms"}
    for name, title in titles.items():
        rows += _category(name, title, _levels(patients[name]))
    return rows


def _rows_of_choice(patients: pl.DataFrame) -> list[Characteristic]:
    number = [level for level in ("0", "1", "2", MANY) if level in patients["n_untried"]]
    rows = _category("n_untried", "Mechanisms available and untried", number)
    for name in patients.columns:
        if name.startswith("untried_"):
            rows.append(_yes_no(name, f"Available and untried: {name.removeprefix('untried_')}"))
    return rows + [
        _yes_no(f"{risk}_together", f"Two or more drugs flagged for {RISK_WORDS[risk]} together")
        for risk in RISKS
    ]


def _category(name: str, title: str, levels: list[str]) -> list[Characteristic]:
    """The characteristic, none where nobody has a level."""
    if not levels:
        return []
    return [Characteristic(name=name, title=title, coding="category", levels=levels, source=SOURCE)]


def _yes_no(name: str, title: str) -> Characteristic:
    return Characteristic(name=name, title=title, coding="yes_no", source=SOURCE)


def _switches(columns: Mapping[str, pl.DataFrame], lines_of: Mapping[str, pl.DataFrame]) -> list[Cell]:
    """Who switched how, of those with two courses or more; and how many switches of each kind, where what is hidden is a
    number of patients."""
    switched = {name: group.filter(pl.col("n_courses") >= 2) for name, group in columns.items()}
    cells = [
        count_cell("Patients with two or more courses", name, group.height)
        for name, group in switched.items()
    ]
    for change, words in SWITCHES.items():
        cells += describe(_yes_no(change, f"Switched at least once {words}"), switched)
    for change, words in SWITCHES.items():
        for name, lines in lines_of.items():
            kind = lines.filter(pl.col("change") == change)
            n_patients = kind.select(KEY).n_unique()
            cells.append(count_cell("Switches", name, kind.height, words, smallest=n_patients or None))
    return cells


def _time_on_line(number: int, lines_of: Mapping[str, pl.DataFrame]) -> list[Cell]:
    """Time on the line, and how many had stopped it; none where nobody came to this line."""
    cells: list[Cell] = []
    if not (lines_of["All"]["position"] == number).any():
        return cells
    title = Characteristic(
        name="days", title=f"Time on line {number}", coding="number", unit="months", source=SOURCE
    )
    for name, lines in lines_of.items():
        line = lines.filter(pl.col("position") == number)
        ended = line["stop_date"].is_not_null()
        low, median, high = product_limit_quartiles(line["days_on_drug"] / DAYS_PER_MONTH, ended)
        hidden: dict[str, Any] = {"n": line.height, "smallest": int(ended.sum()) or None}
        cells.append(value_cell("median_iqr", row_label(title), name, median, low, high, **hidden))
        cells.append(proportion_cell(f"Line {number} ended", name, int(ended.sum()), line.height))
    return cells

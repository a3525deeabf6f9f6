"""Which risk factors must not be modelled against a definition, and why: circular ones, and what came after baseline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from d2tra.config import Baseline, Study
from d2tra.definitions.criteria import Criterion
from d2tra.definitions.definition import Definition, load_definition
from d2tra.definitions.facts import Choices
from d2tra.definitions.label import LABEL_COLUMNS
from d2tra.definitions.leaf import Leaf
from d2tra.definitions.reads import Read
from d2tra.follow_up import FOLLOWED
from d2tra.risk_factor_plan import Plan, load_plan
from d2tra.risk_factors import AT_INDEX, AUDIT_COUNTS, HANGS

BASELINES = {"first_bts": "the first b/tsDMARD", "diagnosis": "the diagnosis", "index": "the index date"}
KEYS = ("site", "patient_id", "sequence", "baseline_date", "index_date", "first_bts_date")
BEFORE_BTS = ("n_csdmards_before_bts", "methotrexate_before_bts")  # they end with the first b/tsDMARD
KINDS_IN_WORDS = {
    "csdmard": "csDMARDs",
    "bdmard": "bDMARDs",
    "tsdmard": "tsDMARDs",
    "glucocorticoid": "glucocorticoids",
}


def refuse_by_definition(names: Iterable[str], study: Study) -> dict[str, dict[str, str]]:
    """Returns definition → factor → reason, for all definitions of the study at its baseline (see refuse_factors)."""
    names, plan = list(names), load_plan()
    definitions = map(load_definition, study.definitions)
    return {d.name: refuse_factors(names, plan, d, study.baseline, study) for d in definitions}


def refuse_factors(
    names: Iterable[str],
    plan: Plan,
    definition: Definition,
    baseline: Baseline,
    study: Study | Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Returns factor → reason, in sentences, of those that must not be modelled against this definition.

    Refused: a factor that looks at a column or concept that a criterion of the definition reads, over dates that both
    hold; whatever is dated after baseline; a column of the analysis set that is no factor but an outcome, a key or a date. A
    name that is none of these is left to the model, which does not find it. `study` (or a mapping with some of a
    study's keys): its choices tell what criterion 3 and severity read.

    Dates: a criterion looks back from the index date, a factor from baseline. At baseline `index` both hold that day. At
    an earlier baseline the factor's dates lie among those of a criterion that looks at everything up to the index date;
    a criterion of so many days up to the index date is taken not to reach back to baseline. It does in patients whose
    baseline is so recent: the caption names baseline and the criteria their days, and the reader judges. Source:
    specification of the statistics, 3.1.

    Dates of drug starts are what a criterion reads only where it asks how long ago they were; where they merely say which
    drugs had been given by then, the year of the first b/tsDMARD and the delay of treatment stay factors.
    """
    criteria = list(_criteria(definition.tree, Choices.of(study)))
    others = study.definition_names if isinstance(study, Study) else []
    reasons = {}
    for name in names:
        reason = (
            _no_characteristic(name, [definition.name, *others])
            or _after_baseline(name, plan, baseline)
            or _circular(name, plan, definition, criteria, baseline)
        )
        if reason is not None:
            reasons[name] = reason
    return reasons


def _criteria(tree: Criterion, choices: Choices) -> Iterator[tuple[str, tuple[Read, ...]]]:
    """Yields every criterion of the vocabulary, called by the nearest id above it, with what it reads."""

    def below(node: Criterion, named: str) -> Iterator[tuple[str, Leaf]]:
        named = f"criterion {node.id} ({node.title})" if node.id is not None else named
        if node.leaf is not None:
            yield named, node.leaf
        else:
            for child in node.children:
                yield from below(child, named)

    return ((named, leaf.reads(choices)) for named, leaf in below(tree, "a criterion without id"))


def _no_characteristic(name: str, definitions: list[str]) -> str | None:
    if name in KEYS:
        return f"{name} says who a patient is or when, which is no risk factor"
    if name in definitions or name.endswith(HANGS) or name in (*LABEL_COLUMNS, *FOLLOWED):
        return f"{name} is a label at the index date, or part of one: an outcome, not a risk factor"
    if name.endswith(AT_INDEX):
        return f"{name} is dated at the index date, after baseline"
    return None


def _after_baseline(name: str, plan: Plan, baseline: Baseline) -> str | None:
    for part in plan.made_of(name):
        known_by_then = baseline == "index" or (baseline == "first_bts" and part in BEFORE_BTS)
        if part in AUDIT_COUNTS[1:] and not known_by_then:
            return (
                f"{_made_of(name, part)} counted up to the index date, which is after baseline "
                f"({BASELINES[baseline]})"
            )
    return None


def _circular(
    name: str,
    plan: Plan,
    definition: Definition,
    criteria: list[tuple[str, tuple[Read, ...]]],
    baseline: Baseline,
) -> str | None:
    if name not in plan.characteristics:
        return None
    sources = {read.source for read in plan.reads_of(name)}
    for named, reads in criteria:
        shared = [read for read in reads if read.source in sources and _dates_meet(read, baseline)]
        if shared:
            days = shared[0].within_days
            dates = f"in the {days} days up to" if days is not None else "on every date up to"
            what = _listed([_in_words(read.source) for read in shared if read.within_days == days])
            return (
                f"{definition.name}, {named}, reads {what} {dates} the index date; {name} looks at the same, so that "
                "the outcome would explain itself"
            )
    stood_for = [concept for concept in definition.stands_for if f"diagnoses.{concept}" in sources]
    if stood_for:
        return f"{definition.name} stands for {_listed(stood_for)}, which {name} looks at: the outcome would explain itself"
    return None


def _dates_meet(read: Read, baseline: Baseline) -> bool:
    """Whether a criterion's dates, looking back from the index date, hold those of a factor, looking back from baseline."""
    return baseline == "index" or read.within_days is None


def _made_of(name: str, part: str) -> str:
    return f"{name} is" if name == part else f"{name} is made of {part},"


def _in_words(source: str) -> str:
    table, _, column = source.partition(".")
    if table == "courses":
        kind, _, start = column.partition(".")
        return f"when {KINDS_IN_WORDS[kind]} were begun" if start else f"{KINDS_IN_WORDS[kind]} given"
    return f"the diagnosis {column}" if table == "diagnoses" else column


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))

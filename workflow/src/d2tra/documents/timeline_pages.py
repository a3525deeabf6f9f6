"""A page per difficult-to-treat patient: the timeline, why the label, the sequence of treatments. Never to be released."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from d2tra.definitions import why
from d2tra.documents.layout import PRIVATE, SYNTHETIC
from d2tra.figures.timeline import mechanism_in_words, why_stopped
from d2tra.treatment.sequence import RISKS

NOT_ADVICE = (
    "Descriptive: what was given and what was licensed by then. It is not a recommendation, and says nothing of "
    "contraindications, local access or the patient's wishes. Licence dates and risk flags are unverified knowledge."
)
CHANGES = {
    "first": "first",
    "restart": "restart of a drug",
    "within_class": "same class again",
    "new_mechanism": "new mechanism",
}
RISK_TITLES = {"zoster": "Zoster", "liver": "Liver", "tb": "Tuberculosis"}
HEADINGS = (
    "Line", "Drug", "Mechanism", "From", "To", "Days", "Ended because", "Change", "Licensed by then, not yet tried",
    *(f"{RISK_TITLES[risk]}: flagged drugs together" for risk in RISKS),
)  # fmt: skip


def timeline_pages(
    svgs: Mapping[str, str],
    labels: pl.DataFrame,
    evidence: pl.DataFrame,
    sequence: pl.DataFrame,
    courses: pl.DataFrame,
    title: str,
    synthetic: bool,
) -> dict[str, str]:
    """Returns file name → content: index.html, and per patient of `svgs` `<id>.svg` and `<id>.html` (self-contained).

    `labels`, `evidence`: of one definition, `title` its title. `sequence`: as of `order_treatments`; `courses` tell how each
    line ended. Characters of an id that a file name cannot hold are written as %XX.
    """
    banners = [PRIVATE, *([SYNTHETIC] if synthetic else [])]
    template = Environment(
        loader=PackageLoader("d2tra.documents"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("timeline.html.j2")
    ended = courses.select("patient_id", "molecule", "start_date", "kind", "failure_type", "has_imputed_stop")
    lines = sequence.filter(pl.col("patient_id").is_in(list(svgs))).join(
        ended, on=["patient_id", "molecule", "start_date"], how="left", maintain_order="left"
    )
    by_patient = lines.partition_by("patient_id", as_dict=True)
    names = {patient_id: quote(patient_id, safe="") for patient_id in svgs}
    listed = {row["patient_id"]: row for row in labels.iter_rows(named=True)}
    shared = {"banners": banners, "definition": title, "headings": HEADINGS, "note": NOT_ADVICE}
    entries = [{"label": listed[patient_id], "name": quote(name)} for patient_id, name in names.items()]
    pages = {"index.html": template.render(**shared, patient=None, entries=entries)}
    for patient_id, svg in svgs.items():
        rows = by_patient.get((patient_id,), lines.clear()).iter_rows(named=True)
        patient = {
            "id": patient_id,
            "svg": svg,
            "why": why(patient_id, labels, evidence).splitlines(),
            "lines": [_in_words(row) for row in rows],
        }
        pages[f"{names[patient_id]}.svg"] = svg
        pages[f"{names[patient_id]}.html"] = template.render(**shared, patient=patient, entries=[])
    return pages


def _in_words(line: dict[str, Any]) -> list[str]:
    """The cells of a line of the sequence, in the order of HEADINGS."""
    untried = line["mechanisms_available_untried"]
    return [
        str(line["position"]),
        line["molecule"],
        mechanism_in_words(line["mechanism"]),
        line["start_date"].isoformat(),
        line["stop_date"].isoformat() if line["stop_date"] else "ongoing",
        str(line["days_on_drug"]),
        why_stopped(line),
        CHANGES[line["change"]],
        "not known" if untried is None else mechanism_in_words(untried) or "none",
        *(line[f"{risk}_together"] or "none" for risk in RISKS),
    ]

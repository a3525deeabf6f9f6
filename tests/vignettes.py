"""One patient in a few lines of text: what the definitions make of P1, judged on 2022-01-01 (365 days earlier: 2021-01-01)."""

from functools import cache

from d2tra.definitions import label, load_definition
from tables import frame

load = cache(load_definition)
VISIT = "visit_date\n2022-01-01"
TWO_FAILED = """
    drug         | start_date | stop_date  | stop_reason
    methotrexate | 2015-01-01 |            |
    adalimumab   | 2016-01-01 | 2017-01-01 | inefficacy
    tocilizumab  | 2018-01-01 | 2019-01-01 | adverse_event
    """
ACTIVE = "visit_date | tjc28 | sjc28 | patient_global_mm | physician_global_mm\n2022-01-01 | 8 | 6 | 60 | 60"


def judge(definition="eular_2021", study=None, records_glucocorticoids=None, **texts):
    """The labels and evidence of P1; `treatments=None` is an extract without that table."""
    given = {"patients": "disease\nRA", "visits": VISIT, "treatments": TWO_FAILED} | texts
    extract = {
        table: frame("\n".join(with_patient(text))) for table, text in given.items() if text is not None
    }
    return label(extract, load(definition), study, records_glucocorticoids)


def with_patient(text):
    header, *rows = [line for line in text.strip().splitlines() if line.strip()]
    return [f"patient_id | {header}", *(f"P1 | {row}" for row in rows)]


def met(criterion, **given):
    rows = judge(**given).evidence
    return dict(zip(rows["criterion"], rows["met"], strict=True))[criterion]


def status(**given):
    return judge(**given).labels["status"].item()


def reason(criterion, **given):
    rows = judge(**given).evidence
    return dict(zip(rows["criterion"], rows["reason"], strict=True))[criterion]


def drugs(*rows):
    return "\n".join(["drug | start_date | stop_date | stop_reason", *rows])

"""Give every visit up to the study's cut its composite scores and activity bands."""

import datetime as dt

import polars as pl

from d2tra import io, logs
from d2tra.definitions.gathering import up_to_cut
from d2tra.scores import score_visits, visit_columns
from d2tra.spans import read_spans, side_by_side, write_spans

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    cut = snakemake.params.data_cut_date and dt.date.fromisoformat(snakemake.params.data_cut_date)
    files = io.files_of(snakemake.input.valid, "patients", "visits", "labs")

    def score(span: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        known = up_to_cut(span, cut)
        return {"scores": score_visits(known["visits"], known.get("labs"), known["patients"], as_text=False)}

    spans = read_spans(files, columns={"visits": visit_columns()})
    write_spans(side_by_side(score, spans), [snakemake.output.scores])

"""Merge prescription records into drug courses and judge how each ended."""

import polars as pl

from d2tra import io, logs
from d2tra.extract.schemas import no_rows
from d2tra.extract.site import study_cut
from d2tra.spans import read_spans, side_by_side, write_spans
from d2tra.treatment import trace_courses

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    spans = read_spans(io.files_of(snakemake.input.valid, "patients", "treatments"))
    cut = study_cut(snakemake.params.data_cut_date, io.read_json(snakemake.input.cut)["data_cut_date"])

    def trace(span: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        return {"courses": trace_courses(span.get("treatments", no_rows("treatments")), cut)}

    write_spans(side_by_side(trace, spans), [snakemake.output.courses])

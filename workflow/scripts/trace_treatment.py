"""Merge prescription records into drug courses and judge how each ended."""

from d2tra import io, logs
from d2tra.extract.schemas import no_rows
from d2tra.extract.site import study_cut
from d2tra.treatment import trace_courses

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    treatments = io.read_folder(snakemake.input.valid).get("treatments", no_rows("treatments"))
    cut = study_cut(snakemake.params.data_cut_date, io.read_json(snakemake.input.cut)["data_cut_date"])
    io.write(trace_courses(treatments, cut), snakemake.output.courses)

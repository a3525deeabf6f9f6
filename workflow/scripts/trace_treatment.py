"""Merge prescription records into drug courses and judge how each ended."""

from d2tra import io, logs
from d2tra.extract.schemas import complete
from d2tra.treatment import trace_courses

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    treatments = io.read_folder(snakemake.input.valid).get("treatments")
    cut = snakemake.params.data_cut_date or io.read_date(snakemake.input.cut)
    io.write(trace_courses(complete(treatments, "treatments"), cut), snakemake.output.courses)

"""Merge prescription records into drug courses and judge how each ended."""

from d2tra import io, logs
from d2tra.treatment import trace_courses

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    extract = io.read_extract(snakemake.input.valid)
    courses = trace_courses(extract.tables["treatments"], extract.study_cut(snakemake.params.data_cut_date))
    io.write(courses, snakemake.output.courses)

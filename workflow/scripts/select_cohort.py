"""Walk the selection criteria in their order, counting who leaves at each."""

from pathlib import Path

from d2tra import config, io, logs
from d2tra.cohort import COLUMNS, select_cohort

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    study, given = config.load_study(snakemake.input.study), snakemake.input
    cohort, sites = study.cohort(snakemake.wildcards.cohort), study.site_names
    patients = io.read_sites(sites, given.valid, "patients", columns=COLUMNS["patients"])
    courses = io.read_sites(sites, given.courses, columns=COLUMNS["courses"])
    labels = io.read_sites(sites, given.labels, columns=COLUMNS["labels"])
    drugs = (Path(folder) / "treatments.parquet" for folder in given.valid)
    without = [site for site, table in zip(sites, drugs, strict=True) if not table.is_file()]
    members, flow = select_cohort(cohort, patients, courses, labels, without)
    io.write(members, snakemake.output.members)
    io.write(flow, snakemake.output.flow)

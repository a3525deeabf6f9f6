"""Gather what the cohorts' models, their comparison and the sensitivity grid have to show."""

from pathlib import Path

from d2tra import config, io, logs
from d2tra.models import read_validations
from d2tra.tables import read_tables, write_tables
from d2tra.tables.validation_chapter import describe_validation

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, study = snakemake.input, config.load_study(snakemake.input.study)
    tables = describe_validation(
        study,
        dict(zip(study.cohort_names, map(io.read, given.analysis_sets), strict=True)),
        read_validations(given.validations),
        {Path(folder).parent.name: read_tables(folder) for folder in given.further},
        snakemake.params.synthetic,
    )
    write_tables(tables, snakemake.output.tables)

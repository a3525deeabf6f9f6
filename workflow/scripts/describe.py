"""Count, with intervals, everything that the tables and figures show."""

from pathlib import Path

from d2tra import config, io, logs
from d2tra.models import read_facts, read_fits
from d2tra.tables import write_tables
from d2tra.tables.counted import count_results

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, study = snakemake.input, config.load_study(snakemake.input.study)
    cohorts = [Path(file).parent for file in given.analysis_sets]
    results = count_results(
        study,
        flow=io.read(given.flow),
        analysis_sets={folder.name: io.read(folder / "analysis_set.parquet") for folder in cohorts},
        models={folder.name: read_fits(folder / "models", study.model_names) for folder in cohorts},
        facts=read_facts(cohorts[-1] / "models", study.model_names),
        members=dict(zip(study.cohort_names, map(io.read, given.members), strict=True)),
        of_sites=io.read_each_of_sites(study.site_names, given.of_sites),
        synthetic=snakemake.params.synthetic,
    )
    write_tables(results.tables, snakemake.output.tables)
    io.write_each(results.counts, snakemake.output.counts)

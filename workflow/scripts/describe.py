"""Count, with intervals, everything that the tables and figures show."""

from pathlib import Path

from d2tra import config, io, logs
from d2tra.models import read_fits
from d2tra.tables import write_tables
from d2tra.tables.counted import count_results

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given = snakemake.input
    analysis_set, flow, models = given.own
    study = config.load_study(given.study)
    cohorts = zip(study.cohorts, given.members, strict=True)
    results = count_results(
        study,
        snakemake.wildcards.cohort,
        analysis_set=io.read(analysis_set),
        flow=io.read(flow),
        members={cohort.name: io.read(path) for cohort, path in cohorts},
        policies=io.read_sites(study.site_names, given.policies),
        models=read_fits(models, study.models),
        sequence=io.read_sites(study.site_names, given.sequences),
        synthetic=snakemake.params.synthetic,
    )
    write_tables(results.tables, snakemake.output.tables)
    for path in snakemake.output.counts:
        io.write(getattr(results, Path(path).stem), path)

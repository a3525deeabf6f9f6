"""Count, with intervals, everything that the tables and figures show."""

from d2tra import config, io, logs
from d2tra.models import read_fits
from d2tra.tables import write_tables
from d2tra.tables.counted import count_results

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given = snakemake.input
    study = config.load_study(given.study)
    cohorts = zip(study.cohorts, given.members, strict=True)
    results = count_results(
        study,
        snakemake.wildcards.cohort,
        analysis_set=io.read(given.analysis_set),
        flow=io.read(given.flow),
        members={cohort.name: io.read(path) for cohort, path in cohorts},
        policies=io.read_sites(study.site_names, given.policies),
        models=read_fits(given.models, study.models),
        sequence=io.read_sites(study.site_names, given.sequences),
        synthetic=snakemake.params.synthetic,
    )
    write_tables(results.tables, snakemake.output.tables)
    for name in ("prevalence", "agreement", "reproduction", "readings"):
        io.write(getattr(results, name), snakemake.output[name])

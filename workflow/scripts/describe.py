"""Count, with intervals, everything that the tables and figures show."""

from d2tra import config, io, logs
from d2tra.models import read_fits
from d2tra.tables import write_tables
from d2tra.tables.counted import count_results

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, asked = snakemake.input, snakemake.params
    study = config.load_study(given.study)
    results = count_results(
        study,
        snakemake.wildcards.cohort,
        analysis_set=io.read(given.analysis_set),
        flow=io.read(given.flow),
        members={name: io.read(path) for name, path in zip(asked.cohorts, given.members, strict=True)},
        policies=io.read_sites(asked.sites, given.policies),
        models=read_fits(given.models, study.models),
        sequence=io.read_sites(asked.sites, given.sequences),
        synthetic=asked.synthetic,
    )
    write_tables(results.tables, snakemake.output.tables)
    for name in ("prevalence", "agreement", "reproduction", "readings"):
        io.write(getattr(results, name), snakemake.output[name])

"""Count, with intervals, everything that the tables and figures show."""

from d2tra import config, io, logs
from d2tra.models import read_fits
from d2tra.tables import write_tables
from d2tra.tables.counted import count_results

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, study = snakemake.input, config.load_study(snakemake.input.study)
    analysis_set, flow, models = given.own
    results = count_results(
        study,
        snakemake.wildcards.cohort,
        analysis_set=io.read(analysis_set),
        flow=io.read(flow),
        members=dict(zip(study.cohort_names, map(io.read, given.members), strict=True)),
        policies=io.read_sites(study.site_names, given.policies),
        models=read_fits(models, study.models),
        sequence=io.read_sites(study.site_names, given.sequences),
        synthetic=snakemake.params.synthetic,
    )
    write_tables(results.tables, snakemake.output.tables)
    io.write_each(results.counts, snakemake.output.counts)

"""Count, with intervals, everything that the tables and figures show."""

from pathlib import Path

from d2tra import config, io, logs
from d2tra.models import read_facts, read_fits
from d2tra.tables import write_tables
from d2tra.tables.counted import count_results

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, study = snakemake.input, config.load_study(snakemake.input.study)
    (analysis_set, flow), models = given.own, Path(given.models[0]).parent
    earlier = {Path(file).parents[1].name: Path(file).parent for file in given.earlier}
    results = count_results(
        study,
        snakemake.wildcards.cohort,
        analysis_set=io.read(analysis_set),
        flow=io.read(flow),
        members=dict(zip(study.cohort_names, map(io.read, given.members), strict=True)),
        policies=io.read_sites(study.site_names, given.policies),
        models=read_fits(models, study.model_names),
        facts=read_facts(models, study.model_names),
        earlier={name: read_fits(folder, study.model_names) for name, folder in earlier.items()},
        earlier_sets={Path(file).parent.name: io.read(file) for file in given.earlier_sets},
        sequence=io.read_sites(study.site_names, given.sequences),
        accounting=io.read_sites(study.site_names, given.accounting),
        quality=io.read_sites(study.site_names, given.quality),
        evidence=io.read_sites(study.site_names, given.evidence),
        scores=io.read_sites(study.site_names, given.scores),
        synthetic=snakemake.params.synthetic,
    )
    write_tables(results.tables, snakemake.output.tables)
    io.write_each(results.counts, snakemake.output.counts)

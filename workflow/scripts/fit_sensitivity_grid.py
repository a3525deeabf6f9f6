"""Count and fit the cohort under every combination of choices."""

from pathlib import Path

from d2tra import config, io, logs
from d2tra.tables import write_tables
from d2tra.tables.sensitivity import count_grid

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, study = snakemake.input, config.load_study(snakemake.input.study)
    sites = {site: io.read_folder(folder) for site, folder in zip(study.site_names, given.valid, strict=True)}
    for file in map(Path, given.known):
        sites[file.parent.name][file.stem] = io.read(file)
    found, table = count_grid(
        study,
        snakemake.wildcards.cohort,
        io.read(given.members),
        sites,
        io.read_sites(study.site_names, given.relabelled),
        snakemake.params.synthetic,
    )
    io.write(found, snakemake.output.grid)
    write_tables([table], snakemake.output.tables)

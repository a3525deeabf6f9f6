"""Judge every patient again, by each of the other rules of when a drug has failed."""

from d2tra import config, io, logs
from d2tra.extract.site import load_site, study_cut
from d2tra.sensitivity import plan_grid, relabel

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, study = snakemake.input, config.load_study(snakemake.input.study)
    stated = study.data_cut_date and study.data_cut_date.isoformat()
    relabelled = relabel(
        io.read(given.policies),
        io.read_folder(given.valid),
        io.read(given.scores),
        study_cut(stated, io.read_json(given.cut)["data_cut_date"]),
        plan_grid(study),
        study,
        load_site(given.mapping).records_glucocorticoids,
    )
    io.write(relabelled, snakemake.output.relabelled)

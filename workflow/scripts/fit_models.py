"""Fit each declared model, saying before what the data cannot bear."""

from d2tra import config, io, logs
from d2tra.models import fit_every_outcome, load_model
from d2tra.refusals import refuse_by_definition

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    analysis_set, study = io.read(snakemake.input.analysis_set), config.load_study(snakemake.input.study)
    fitted = {}
    for model in map(load_model, study.models):
        refused = refuse_by_definition([factor.name for factor in model.modelled], study)
        rows, facts = fit_every_outcome(
            analysis_set, model, study.definition_names, seed=study.seed, refused=refused
        )
        fitted |= {model.name: rows, f"{model.name}_fit": facts}
    io.write_each(fitted, snakemake.output.models)

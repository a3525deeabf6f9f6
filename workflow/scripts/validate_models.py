"""Repeat the whole modelling in bootstrap resamples, and apply the model, unchanged, to the other cohorts."""

from pathlib import Path

from d2tra import config, io, logs
from d2tra.models import load_model, read_facts
from d2tra.models.validated import validate_every_outcome

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, study = snakemake.input, config.load_study(snakemake.input.study)
    sets = dict(zip(study.cohort_names, map(io.read, given.analysis_sets), strict=True))
    facts = read_facts(Path(given.models[0]).parent, study.model_names)
    validated = {}
    for model in map(load_model, study.models):
        validated[f"{model.name}_validation"] = validate_every_outcome(
            model, study.definition_names, snakemake.wildcards.cohort, sets, facts[model.name], study.validation, study.seed
        )  # fmt: skip
    io.write_each(validated, snakemake.output.validations)

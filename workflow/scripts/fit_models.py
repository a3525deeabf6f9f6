"""Fit each declared model, saying before what the data cannot bear."""

from d2tra import io, logs
from d2tra.models import fit_study_models

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    analysis_set = io.read(snakemake.input.analysis_set)
    names, definitions = snakemake.params.models, snakemake.params.definitions
    for name, (rows, facts) in fit_study_models(analysis_set, names, definitions, snakemake.params.seed).items():
        io.write(rows, f"{snakemake.output.models}/{name}.csv")
        io.write_json(facts, f"{snakemake.output.models}/{name}_fit.json")

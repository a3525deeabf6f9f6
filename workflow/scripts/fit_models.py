"""Fit each declared model, saying before what the data cannot bear."""

from d2tra import io, logs
from d2tra.models import fit_every_outcome, load_model

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    analysis_set, asked = io.read(snakemake.input.analysis_set), snakemake.params
    fitted = {}
    for model in map(load_model, asked.models):
        rows, facts = fit_every_outcome(analysis_set, model, asked.definitions, seed=asked.seed)
        fitted |= {f"{model.name}.csv": rows, f"{model.name}_fit.json": facts}
    io.write_folder(fitted, snakemake.output.models)

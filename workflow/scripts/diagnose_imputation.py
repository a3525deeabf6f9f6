"""Show whether the chains of an imputation mix, and its values beside those recorded."""

from d2tra import config, io, logs
from d2tra.figures.imputation import draw_diagnostics
from d2tra.figures.style import load_style
from d2tra.models import load_model
from d2tra.models.diagnosed import diagnose_imputation

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, made = snakemake.input, snakemake.output
    study, model = config.load_study(given.study), load_model(given.plan)
    told = diagnose_imputation(io.read(given.analysis_set), model, study.definition_names, study.seed)
    said = f"Cohort {snakemake.wildcards.cohort} · {model.title or model.name}"
    io.write(told[0], made.trace)
    io.write(told[1], made.density)
    io.write_bytes(draw_diagnostics(*told, load_style(), said, snakemake.params.synthetic), made.figure)

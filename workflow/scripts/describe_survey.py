"""Count the answers of the study's survey, beside how many patients meet the definitions that are favoured."""

from d2tra import config, io, logs
from d2tra.survey.chapter import describe_survey
from d2tra.survey.codebook import load_survey
from d2tra.tables import write_tables

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, study = snakemake.input, config.load_study(snakemake.input.study)
    prevalence = dict(zip(study.cohort_names, map(io.read, given.prevalence), strict=True))
    tables = describe_survey(study, load_survey(study.survey), prevalence, snakemake.params.synthetic)
    write_tables(tables, snakemake.output.tables)

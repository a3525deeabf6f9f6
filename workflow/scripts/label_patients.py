"""Judge every patient by every definition at every visit, with the deciding records."""

from functools import partial

from d2tra import io, logs
from d2tra.definitions import judge_site, visit_columns
from d2tra.extract.site import load_site

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    choices = dict(snakemake.params.study)
    definitions = choices.pop("definitions")
    recorded = load_site(snakemake.input.mapping).records_glucocorticoids
    files = {"courses": snakemake.input.courses, "scores": snakemake.input.scores}
    needed = visit_columns(definitions, choices)
    columns = {"visits": needed, "scores": needed}
    spans = io.read_spans({**io.files_of(snakemake.input.valid), **files}, columns=columns)
    judge = partial(judge_site, definitions=definitions, study=choices, records_glucocorticoids=recorded)
    io.write_spans(io.side_by_side(judge, spans), snakemake.output.judged)

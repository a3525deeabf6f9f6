"""Judge every patient by every definition at every visit, with the deciding records."""

from d2tra import io, logs
from d2tra.definitions import judge_site, visit_columns
from d2tra.extract.site import load_site

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    choices = dict(snakemake.params.study)
    definitions = choices.pop("definitions")
    asked = (definitions, choices, load_site(snakemake.input.mapping).records_glucocorticoids)
    files = {"courses": snakemake.input.courses, "scores": snakemake.input.scores}
    needed = visit_columns(definitions, choices)
    columns = {"visits": needed, "scores": needed}
    spans = io.read_spans({**io.files_of(snakemake.input.valid), **files}, columns=columns)
    io.write_spans((judge_site(span, *asked) for span in spans), snakemake.output.judged)

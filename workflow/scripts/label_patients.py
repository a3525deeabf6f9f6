"""Judge every patient by every definition at every visit, with the deciding records."""

from functools import partial

from d2tra import io, logs
from d2tra.definitions import judge_site, tells_of_glucocorticoids, visit_columns
from d2tra.extract.site import load_site
from d2tra.spans import read_spans, side_by_side, write_spans

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    study = dict(snakemake.params.study)
    definitions = study.pop("definitions")
    treatments = io.scan_folder(snakemake.input.valid).get("treatments")
    declared = load_site(snakemake.input.mapping).records_glucocorticoids
    recorded = declared or tells_of_glucocorticoids(treatments, study)
    files = {"courses": snakemake.input.courses, "scores": snakemake.input.scores}
    needed = visit_columns(definitions, study)
    columns = {"visits": needed, "scores": needed}
    spans = read_spans({**io.files_of(snakemake.input.valid), **files}, columns=columns)
    judge = partial(judge_site, definitions=definitions, study=study, records_glucocorticoids=recorded)
    write_spans(side_by_side(judge, spans), snakemake.output.judged)

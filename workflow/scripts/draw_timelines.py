"""Draw the history of every patient who meets the primary definition."""

from d2tra import io, logs
from d2tra.definitions import load_definition
from d2tra.documents.timeline_pages import timeline_pages
from d2tra.extract.site import study_cut
from d2tra.figures.style import load_style
from d2tra.figures.timeline import draw_timelines
from d2tra.scores.settings import load_score_settings

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, asked = snakemake.input, snakemake.params
    definition = load_definition(asked.definition)
    cut = study_cut(asked.data_cut_date, io.read_json(given.cut)["data_cut_date"])
    labels, evidence = map(io.read, given.labelled)
    courses, scores, sequence = map(io.read, (given.courses, given.scores, given.sequence))
    mine = labels.filter(definition=definition.name, status="met")
    reasons = evidence.filter(definition=definition.name)
    look = (load_style(), load_score_settings(), asked.synthetic)
    svgs = draw_timelines(mine, courses, scores, definition.title, cut, *look)
    pages = timeline_pages(svgs, mine, reasons, sequence, courses, definition.title, asked.synthetic)
    io.write_folder(pages, snakemake.output.timelines)

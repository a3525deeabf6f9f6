"""Run every check of the catalogue on the valid tables, and compare the extract with what others found."""

from d2tra import config, io, logs
from d2tra.documents.quality_page import quality_page
from d2tra.expectations import compare_with_expectations
from d2tra.extract.catalogue import Facts, catalogue_findings, filled_cells
from d2tra.extract.findings import read_findings
from d2tra.extract.site import load_site, study_cut
from d2tra.figures.style import load_style

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    given, site = snakemake.input, load_site(snakemake.input.mapping)
    cut = study_cut(snakemake.params.data_cut_date, io.read_json(given.cut)["data_cut_date"])
    valid, judged = io.read_folder(given.valid), io.read_each(given.judged)
    quarantine, accounting, quality = given.told
    told = (read_findings(quarantine), io.read(accounting), io.read(quality))
    facts = Facts(valid, *told, cut, config.setting("quality")["checks"])
    study, found = config.load_study(given.study), catalogue_findings(facts)
    found["expectations"] = compare_with_expectations({**valid, **judged}, study, site.name)
    io.write_each(found, snakemake.output.lists)
    page = quality_page(site.title or site.name, site.synthetic, found, filled_cells(facts), load_style())
    io.write_text(page, snakemake.output.page)

"""Give the department its own sheets back, with what is to mend marked and the sentence that says how."""

from d2tra import io, logs
from d2tra.extract.findings import read_findings
from d2tra.extract.quarantine_workbook import quarantine_workbook, where_rows_stand
from d2tra.extract.screen import as_screened
from d2tra.extract.site import load_site

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    tables = io.scan_folder(snakemake.input.tables)
    tables.pop("findings")
    site = load_site(snakemake.input.mapping, snakemake.input.fetched)
    quarantine, by_source = read_findings(snakemake.input.quarantine), io.read(snakemake.input.by_source)
    with as_screened(site, io.read_json(snakemake.input.screen)["sha256"]):
        content = quarantine_workbook(site, quarantine, by_source, where_rows_stand(tables))
    io.write_bytes(content, snakemake.output.workbook)

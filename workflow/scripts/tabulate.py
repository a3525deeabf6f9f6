"""Lay out the released numbers as tables."""

from d2tra import io, logs
from d2tra.disclosure import load_profile
from d2tra.documents.pages import table_files
from d2tra.tables import read_tables

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    profile = load_profile(snakemake.wildcards.profile)
    pages = table_files(read_tables(snakemake.input.numbers), profile, snakemake.params.synthetic)
    io.write_folder(pages, snakemake.output.tables)

"""Suppress and round what the profile does not let out."""

from d2tra import logs
from d2tra.disclosure import disclose, load_profile
from d2tra.tables import read_tables, write_tables

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    profile = load_profile(snakemake.wildcards.profile)
    tables = [
        table.with_cells(disclose(table.cells, profile)) for table in read_tables(snakemake.input.tables)
    ]
    write_tables(tables, snakemake.output.numbers)

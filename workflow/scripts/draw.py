"""Draw the figures from the released numbers."""

from d2tra import io, logs
from d2tra.disclosure import load_profile
from d2tra.figures import draw_figures
from d2tra.figures.style import load_style
from d2tra.tables import read_tables

if __name__ == "__main__":
    logs.start(snakemake.log[0])
    asked, profile = snakemake.params, load_profile(snakemake.wildcards.profile)
    tables = read_tables(snakemake.input.numbers)
    figures = draw_figures(
        asked.figures,
        tables,
        load_style(),
        snakemake.wildcards.cohort,
        profile,
        asked.synthetic,
        size=asked.size,
        tiff=asked.tiff,
    )
    io.write_folder(figures, snakemake.output.figures)

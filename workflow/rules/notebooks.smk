"""
What would a colleague show of the results, and how would one go on alone? Asked apart: `snakemake notebooks`.

needs   notebooks/<notebook>.ipynb, what the sites and cohorts have given, <private>/protocol.json
gives   <private>/notebooks/<notebook>.html    the notebook as it ran on this study: of single patients, never released
"""

NOTEBOOK_FOLDER = settings.PROJECT / "notebooks"
NOTEBOOKS = sorted(path.stem for path in NOTEBOOK_FOLDER.glob("*.ipynb"))
OF_SITE_READ = ["screen.json", "valid", "quarantine.csv", "accounting.csv", "quality.csv", "timelines"]
OF_SITE_READ += ["labels.parquet", "evidence.parquet"]


def modules_of_notebook(wildcards):
    """The package modules that the notebook itself imports."""
    return modules_behind(NOTEBOOK_FOLDER / f"{wildcards.notebook}.ipynb")


rule render_notebook:
    """Run a notebook from its first cell to its last on the study's results, and keep it as a page."""
    input:
        notebook=(NOTEBOOK_FOLDER / "{notebook}.ipynb").as_posix(),
        of_sites=[path for name in OF_SITE_READ for path in of_every_site(name)],
        tables=expand("<private>/cohorts/{cohort}/tables", cohort=COHORTS),
        protocol="<private>/protocol.json",
        mappings=[site.path for site in SITES.values()],
        files=PROTOCOL_FILES,
        study=STUDY_FILE,
        code=code("render_notebook"),
        imported=modules_of_notebook,
    output:
        page="<private>/notebooks/{notebook}.html",
    log:
        "<private>/logs/render_notebook/{notebook}.log",
    params:
        study=config["study"],
    script:
        "../scripts/render_notebook.py"

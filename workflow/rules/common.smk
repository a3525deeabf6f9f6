"""
What every chapter shares: the study, fixed before the DAG is built, and the files that a rule depends on.
"""

import os

from d2tra import config as settings
from d2tra import io
from d2tra.definitions import definition_files
from d2tra.disclosure import load_profile
from d2tra.errors import StudyError
from d2tra.extract.screen import raw_files
from d2tra.extract.site import load_site
from d2tra.jobs import ENVIRONMENT
from d2tra.provenance import modules_behind
from d2tra.sensitivity_plan import grid_cohorts, grid_files
from d2tra.survey.codebook import survey_files


configfile: settings.config_file("config.yaml")


os.environ.update(ENVIRONMENT)

try:
    STUDY_FILE = settings.find("studies", config["study"]).as_posix()
    STUDY = settings.load_study(STUDY_FILE)
    SITES = {site.name: site for site in map(load_site, STUDY.sites)}
    RAW_FILES = {name: [path.as_posix() for path in raw_files(site)] for name, site in SITES.items()}
    FETCHED = {name: f"results/{STUDY.name}/private/sites/{name}" for name in SITES if SITES[name].is_fetched}
    PROFILES = {name: load_profile(name) for name in STUDY.release}
    DEFINITIONS = sorted({path.as_posix() for name in STUDY.definitions for path in definition_files(name)})
    MODELS = {name: settings.find("models", name).as_posix() for name in STUDY.models}
    COHORTS = STUDY.cohort_names
    GRID_COHORTS, GRID_FILES = grid_cohorts(STUDY), grid_files(STUDY)
    SURVEY_FILES, SURVEY_RESPONSES = survey_files(STUDY.survey)
    SYNTHETIC = any(site.synthetic for site in SITES.values())
    WITHOUT_TREATMENTS = [name for name, site in SITES.items() if site.has_no("treatments")]
except StudyError as mistake:
    raise SystemExit(f"\n{mistake}\n")


# what a manifest seals: raw files, and of a database the record of what was fetched from it
SEALED_FILES = [path for paths in RAW_FILES.values() for path in paths]
SEALED_FILES += [f"{folder}/fetched_{name}.json" for name, folder in FETCHED.items()]
DATA_CUT = STUDY.data_cut_date and str(STUDY.data_cut_date)
LABELLING = STUDY.model_dump(mode="json", include=settings.LABELLING_KEYS)
DRUG_CODELISTS = [settings.codelist(name) for name in ("dmards", "mechanisms", "drug_words")]
LABEL_FILES = [*DEFINITIONS, *(settings.codelist(name) for name in ("concepts", "availability"))]
FACTOR_FILES = [settings.setting_path(name) for name in ("risk_factors", "biomarkers", "scores")]


pathvars:
    results=f"results/{STUDY.name}",
    private=f"results/{STUDY.name}/private",


wildcard_constraints:
    site="[^/]+",
    cohort="[^/]+",
    profile="[^/]+",
    place="internal|release",
    chapter="|".join(settings.CHAPTERS),


onstart:
    if workflow.execution_settings.keep_incomplete:
        raise SystemExit(
            "\n--keep-incomplete is refused: half a result must never look like a whole one.\n"
        )
    try:
        io.clear_unfinished(io.make_private(f"results/{STUDY.name}/private").parent)
    except StudyError as mistake:
        raise SystemExit(f"\n{mistake}\n")


def ledger_of(wildcards):
    """What has been released under the profile so far; none where nothing may leave."""
    if not PROFILES[wildcards.profile].may_leave:
        return None
    return f"results/{STUDY.name}/private/ledger/{wildcards.profile}.csv"


def code(script):
    """The package modules behind a script: an edit of one reruns the rule."""
    return modules_behind(settings.PROJECT / "workflow" / "scripts" / f"{script}.py")

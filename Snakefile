# profile -> classifier -> restorers -> evaluation -> results notebook -> book
#
#   python -m qrlib run PROFILE     every network and record of a profile, and its results notebook
#   python -m qrlib book            the quick profile, and the book
#
# A job is one papermill run of a notebook.  While it runs, the executed notebook stands in
# runs/<profile>/logs, and stays there with its traceback if it fails.  Then `qrlib publish` moves it to
# results/<profile>/notebooks and writes a stamp.  Stamps, not records, are Snakemake's outputs: it deletes
# the outputs of a job before running it, and an earlier record must outlive a failing rerun.
#
# A job runs again when its notebook, its settings or the code it depends on changed (`params`).

import sys
from pathlib import Path

from qrlib import experiments, paths, profiles, provenance

PROFILE = profiles.load(config.get("profile", "quick"))
NAME = PROFILE.name
# Real runs whose records are part of the project; the book shows them beside the quick profile.
COMMITTED = [p for p in profiles.names() if p != NAME and any(paths.results(p).glob("records/evaluation-*.json"))
             and p not in ("quick", "smoke")]
THREADS = PROFILE.threads or workflow.cores
PY = sys.executable
BIN = Path(PY).parent

NONE, *TRAINED = experiments.plan(PROFILE)
CLASSIFIER = NONE.classifier_run
RESTORERS = {x.recovery_run: x for x in TRAINED}

RUNS = paths.runs(NAME)
STAMP = f"{RUNS}/stamps/{{}}.json".format
# More threads than a job's share make everything slower, by waiting for each other.
ENVIRONMENT = "OMP_NUM_THREADS={threads} MKL_NUM_THREADS={threads} PYTHONWARNINGS=ignore "
PAPERMILL = f"{PY} -m papermill --log-output --no-progress-bar --autosave-cell-every 0 --start-timeout 300 "


wildcard_constraints:
    run="|".join(RESTORERS),
    page="method|distortions",


def parameters(x):
    """An experiment as papermill's arguments."""
    return f"-p profile {NAME} -p variant {x.variant} -p distortions {x.distortions} -p seed {x.seed}"


def settings(kind, x):
    """What makes a job outdated besides its inputs: settings and code.

    If only the evaluation changed, the job finds its network trained and evaluates it again.
    """
    code = [experiments.code(kind), experiments.code("evaluation")]
    return [provenance.config_hash(x.config(kind)), *code]


def records(x, run):
    """The records that a job writes."""
    return [run] if x.variant == "pretrained" else [run, x.evaluation_run]


def before(x):
    """The stamps of what a restorer starts from and is judged by."""
    if x.variant == "pretrained":
        return []
    return [STAMP(f"pretrained-seed{x.seed}"), STAMP(CLASSIFIER)]


rule all:
    input:
        STAMP(CLASSIFIER),
        [STAMP(run) for run in RESTORERS],
        f"book/_executed/{NAME}/recovery.ipynb",


rule book:
    input:
        rules.all.input,
        expand("book/_executed/{profile}/recovery.ipynb", profile=COMMITTED),
        "book/_executed/overview.ipynb",
        expand("book/_executed/{page}.ipynb", page=["method", "distortions"]),
        # Pages, and docstrings for the reference.
        [str(p) for p in sorted(Path("book").rglob("*")) if p.is_file() and "_executed" not in p.parts],
        [str(p) for p in sorted(Path("qrlib").rglob("*.py"))],
        "_config.yml",
    output:
        "_build/html/index.html",
    threads: workflow.cores
    shell:
        "{PY} -m qrlib assemble {NAME} {COMMITTED} && "
        "{BIN}/jupyter-book build book --config _config.yml --path-output . --all -W --keep-going -n --quiet"


rule classifier:
    """The classifier, trained on clean images, and evaluated without a restorer."""
    input:
        notebook="notebooks/train_classifier.ipynb",
    output:
        STAMP(CLASSIFIER),
    params:
        settings=settings("classifier", NONE),
        records=records(NONE, CLASSIFIER),
    log:
        notebook=f"{RUNS}/logs/{CLASSIFIER}.ipynb",
    threads: THREADS
    shell:
        ENVIRONMENT + PAPERMILL + "{input.notebook} {log.notebook} -p profile {NAME} "
        "&& {PY} -m qrlib publish {log.notebook} {NAME} {output} {params.records}"


rule restorer:
    """A network of Table 1 for one seed, trained and evaluated: pretrained, RecNet or QRNet."""
    input:
        lambda w: before(RESTORERS[w.run]),
        notebook="notebooks/train_recovery.ipynb",
    output:
        STAMP("{run}"),
    params:
        settings=lambda w: settings("recovery", RESTORERS[w.run]),
        parameters=lambda w: parameters(RESTORERS[w.run]),
        records=lambda w: records(RESTORERS[w.run], w.run),
    log:
        notebook=f"{RUNS}/logs/{{run}}.ipynb",
    threads: THREADS
    shell:
        ENVIRONMENT + PAPERMILL + "{input.notebook} {log.notebook} {params.parameters} "
        "&& {PY} -m qrlib publish {log.notebook} {NAME} {output} {params.records}"


rule results:
    """A results notebook: Table 2 and Figure 4 from the records of one profile."""
    input:
        lambda w: [STAMP(run) for run in (CLASSIFIER, *RESTORERS)] if w.profile == NAME
        else [str(p) for p in sorted(paths.results(w.profile).glob("records/*.json"))],
        notebook="notebooks/recovery.ipynb",
    output:
        "book/_executed/{profile}/recovery.ipynb",
    params:
        code=provenance.code_hash(["tables", "claims", "plots", "store", "reference"]),
    log:
        notebook=f"{paths.runs('book')}/logs/recovery-{{profile}}.ipynb",
    threads: THREADS
    shell:
        ENVIRONMENT + PAPERMILL + "{input.notebook} {log.notebook} -p profile {wildcards.profile} "
        "&& {PY} -m qrlib page {log.notebook} {output}"


rule overview:
    """The first page: the headline comparison of every profile that has records."""
    input:
        expand("book/_executed/{profile}/recovery.ipynb", profile=[*COMMITTED, NAME]),
        notebook="notebooks/overview.ipynb",
    output:
        "book/_executed/overview.ipynb",
    params:
        code=provenance.code_hash(["tables", "claims", "plots", "store", "reference"]),
    log:
        notebook=f"{paths.runs('book')}/logs/overview.ipynb",
    threads: THREADS
    shell:
        ENVIRONMENT + PAPERMILL + "{input.notebook} {log.notebook} "
        "&& {PY} -m qrlib page {log.notebook} {output}"


rule page:
    """A page that shows the library itself: the method, the distortions."""
    input:
        notebook="notebooks/{page}.ipynb",
    output:
        "book/_executed/{page}.ipynb",
    params:
        code=provenance.code_hash(["models", "distortions", "evaluation", "losses", "tables", "plots"]),
    log:
        notebook=f"{paths.runs('book')}/logs/{{page}}.ipynb",
    threads: THREADS
    shell:
        ENVIRONMENT + PAPERMILL + "{input.notebook} {log.notebook} "
        "&& {PY} -m qrlib page {log.notebook} {output}"

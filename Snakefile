# profile -> classifier -> restorers -> evaluation -> results notebook -> book
#
#   python -m qrlib run PROFILE     every network and record of a profile, and its results notebook
#   python -m qrlib book            the quick profile, and the book
#
# `--cluster slurm` submits each job instead of running it here; what each asks for: cluster/slurm/config.yaml.
#
# A job runs one notebook.  While it runs, the executed notebook stands in runs/<profile>/logs, and stays
# there with its traceback if it fails.  Then it moves to results/<profile>/notebooks, and a stamp is
# written.  Stamps, not records, are Snakemake's outputs: it deletes the outputs of a job before running
# it, and an earlier record must outlive a failing rerun.
#
# A run's job runs again when its notebook changed, or its settings or code, whose hash is part of its
# stamp's name; that of a page when its notebook, its code (`params`) or what it shows changed.  Paths are
# relative, so that the folder may be moved.

import re
import shlex
import sys
from pathlib import Path

from qrlib.book import notebooks
from qrlib.book.sphinx_ext import launch_buttons
from qrlib.experiments import coverage, plan, profiles, standalone_plan
from qrlib.records import provenance
from qrlib.utils import files, paths

PROFILE = profiles.load(config.get("profile", "quick"))
NAME = PROFILE.name
# Real runs whose records are part of the project; the book shows them beside the quick profile.
COMMITTED = [p for p in coverage.recorded() if p not in (NAME, "quick", "smoke")]
# What pages link to: records of profiles without an evaluation, too.
RECORDED = [p for p in profiles.names() if files.visible(paths.results(p), "records/*.json")
            and p not in (NAME, "quick", "smoke")]
# On a cluster a job asks for `cores`, wherever it runs; here they all share what there is.
CORES = int(config.get("cores") or workflow.cores)
THREADS = PROFILE.threads or CORES
PY = shlex.quote(sys.executable)
BIN = shlex.quote(str(Path(sys.executable).parent))

PLAN = plan.experiments_of(PROFILE)
CLASSIFIERS = {x.classifier_run: x for x in PLAN if x.variant_name == "none"}
CLASSICAL = {x.recovery_run: x for x in PLAN if x.variant.classical}
RESTORERS = {x.recovery_run: x for x in PLAN if x.variant.learns or x.variant.composed}
TIMED = plan.timed(PROFILE)
TIMINGS = [TIMED.timing_run] if TIMED in PLAN else []
STANDALONE = {part: standalone_plan.experiments(PROFILE, part) for part in standalone_plan.planned(PROFILE)}

RUNS = paths.below_root(paths.runs(NAME))
BOOK_LOGS = paths.below_root(paths.runs("book") / "logs")
# More threads than a job's share make everything slower, by waiting for each other.
ENVIRONMENT = "OMP_NUM_THREADS={threads} MKL_NUM_THREADS={threads} PYTHONWARNINGS=ignore "
EXECUTE_RUN = ENVIRONMENT + "{PY} -m qrlib execute-run {input.notebook:q} {log.notebook:q} {NAME} {output:q} "
EXECUTE_PAGE = ENVIRONMENT + "{PY} -m qrlib execute-page {input.notebook:q} {log.notebook:q} {output:q} "

# Pages on all profiles.
STORIES = ["does_it_hold", "what_to_use", "restore_or_not", "quality_index", "teachers", "retraining",
           "unseen_corruptions", "adversarial_images", "adapt_or_restore", "left_open", "commands"]

# Runs come before pages, which fill the processors that the last of them leave idle.
FIRST = 1


wildcard_constraints:
    classifier="|".join(CLASSIFIERS),
    run="|".join(map(re.escape, RESTORERS)) or "none",
    filter="|".join(map(re.escape, CLASSICAL)) or "none",
    part="|".join(STANDALONE) or "none",
    settings="[0-9a-f]{16}",
    results="|".join(coverage.PAGES),
    story="|".join(STORIES),
    page="method|distortions",


def parameters(x):
    """An experiment as its notebook's parameters."""
    return f"-p variant {x.variant_name} -p distortions {x.distortions} -p seed {x.seed}"


# If only the evaluation changed, the job finds its network trained and evaluates it again.
SETTINGS = {
    **{run: plan.job_hash(x, "classifier", "classifier", "evaluation") for run, x in CLASSIFIERS.items()},
    **{run: plan.job_hash(x, "recovery", x.code, "evaluation") for run, x in RESTORERS.items()},
    **{run: plan.job_hash(x, "evaluation", "classical") for run, x in CLASSICAL.items()},
    TIMED.timing_run: plan.timing_hash(PROFILE),
    **{part: plan.job_hash(runs[-1], part, part) for part, runs in STANDALONE.items()},
}


def STAMP(run):
    return f"{RUNS}/stamps/{run}@{SETTINGS[run]}.json"


def found(folder, pattern):
    """Files as Snakemake is told them."""
    return [paths.below_root(path) for path in files.visible(folder, pattern)]


def stamps_needed(x):
    """The stamps of what a restorer starts from, learns from and is judged by."""
    runs = [need.recovery_run for need in x.needs]
    runs += [x.judged_by(role).classifier_run for role in (*x.variant.losses, *x.judges)]
    return [STAMP(run) for run in dict.fromkeys(runs)]


def result_pages(profile):
    """The results notebooks of a profile: all that were planned here, else all that records allow."""
    pages = coverage.pages(profiles.load(profile), there=profile != NAME)
    return expand("book/_executed/{profile}/{page}.ipynb", profile=profile, page=pages)


rule all:
    input:
        [STAMP(run) for run in (*CLASSIFIERS, *RESTORERS, *CLASSICAL, *TIMINGS, *STANDALONE)],
        result_pages(NAME),


# What the page "Try it" runs.
LIVE = ("none", "qrnet", "mqrnet", "recnet")


rule live:
    """What the page "Try it" loads: networks as ONNX, pictures, the runtime."""
    input:
        [STAMP(run) for run, x in {**CLASSIFIERS, **RESTORERS}.items() if x.variant_name in LIVE],
        found(paths.results(), "*/weights/*.safetensors"),
        found(paths.root(), "web/live/*.*"),
        found(paths.root(), "web/live/*/*.*"),
        "web/package-lock.json",
    output:
        "book/_executed/_files/live/manifest.js",
    params:
        code=provenance.code_hash(["book.try_it"]),
    shell:
        ENVIRONMENT + "{PY} -m qrlib live {NAME}"


rule book:
    input:
        rules.all.input,
        [page for profile in COMMITTED for page in result_pages(profile)],
        "book/index.ipynb",
        expand("book/_executed/{story}.ipynb", story=STORIES),
        "book/_executed/benchmarks.ipynb",
        expand("book/_executed/{page}.ipynb", page=["method", "distortions"]),
        rules.live.output,
        # Pages, and docstrings for the reference.
        [str(p) for p in sorted(Path("book").rglob("*"))
         if p.is_file() and p.name != "index.ipynb"
         and not any(part == "_executed" or part[0] == "." for part in p.parts)],
        [str(p) for p in sorted(Path("qrlib").rglob("[a-z_]*.py"))],
        "_config.yml",
    output:
        "_build/html/index.html",
    params:
        launched=[launch_buttons.repository(), launch_buttons.branch()],
    threads: CORES
    shell:
        "{PY} -m qrlib assemble {NAME} {RECORDED} && "
        "QRLIB_JOBS={threads} {BIN}/jupyter-book build book --config _config.yml --toc \"$PWD/book/_executed/_toc.yml\" --path-output . --all -W --keep-going -n --quiet"


rule classifier:
    """A classifier, trained on clean images, and evaluated without a restorer."""
    input:
        notebook="notebooks/train_classifier.ipynb",
    output:
        RUNS + "/stamps/{classifier}@{settings}.json",
    params:
        name=lambda w: CLASSIFIERS[w.classifier].classifier.name,
        records=lambda w: CLASSIFIERS[w.classifier].records,
    log:
        notebook=RUNS + "/logs/{classifier}@{settings}.ipynb",
    priority: FIRST
    threads: THREADS
    shell:
        EXECUTE_RUN + "{params.records} -p classifier {params.name}"


rule restorer:
    """A network for one seed, trained and evaluated: any variant of `qrlib.experiments.variants`."""
    input:
        lambda w: stamps_needed(RESTORERS[w.run]),
        notebook="notebooks/train_recovery.ipynb",
    output:
        RUNS + "/stamps/{run}@{settings}.json",
    params:
        parameters=lambda w: parameters(RESTORERS[w.run]),
        records=lambda w: RESTORERS[w.run].records,
    log:
        notebook=RUNS + "/logs/{run}@{settings}.ipynb",
    priority: FIRST
    threads: THREADS
    shell:
        EXECUTE_RUN + "{params.records} {params.parameters}"


rule classical:
    """A filter before the classifier, at the strengths that validation images choose."""
    input:
        lambda w: stamps_needed(CLASSICAL[w.filter]),
        notebook="notebooks/classical.ipynb",
    output:
        RUNS + "/stamps/{filter}@{settings}.json",
    params:
        parameters=lambda w: f"-p variant {CLASSICAL[w.filter].variant_name}",
        records=lambda w: CLASSICAL[w.filter].records,
    log:
        notebook=RUNS + "/logs/{filter}@{settings}.ipynb",
    priority: FIRST
    threads: THREADS
    shell:
        EXECUTE_RUN + "{params.records} {params.parameters}"


rule timing:
    """Seconds an epoch and milliseconds an image, with nothing else running beside it."""
    input:
        [STAMP(TIMED.recovery_run)] if TIMED in PLAN else [],
        notebook="notebooks/timings.ipynb",
    output:
        STAMP(TIMED.timing_run),
    log:
        notebook=f"{RUNS}/logs/{TIMED.timing_run}.ipynb",
    priority: FIRST
    threads: CORES
    shell:
        EXECUTE_RUN.replace("{threads}", str(THREADS)) + "{TIMED.timing_run}"


rule standalone:
    """Unseen corruptions, attacks, or adaptation: several restorers on the same images."""
    input:
        lambda w: [STAMP(x.training_run) for x in STANDALONE[w.part]],
        notebook="notebooks/{part}.ipynb",
    output:
        RUNS + "/stamps/{part}@{settings}.json",
    log:
        notebook=RUNS + "/logs/{part}@{settings}.ipynb",
    priority: FIRST
    threads: THREADS
    shell:
        EXECUTE_RUN + "{wildcards.part}"


# What the explorers run in a page.
SCRIPTS = [p for kind in ("js", "css") for p in found(paths.root() / "qrlib/book/explorers", f"*.{kind}")]
DIAGRAMS = found(paths.root(), "book/diagrams/*.svg")


rule results:
    """A results notebook: one section of the paper, from the records of one profile."""
    input:
        lambda w: [STAMP(x) for x in (*CLASSIFIERS, *RESTORERS, *CLASSICAL, *TIMINGS)] if w.profile == NAME
        else found(paths.results(w.profile), "records/*.json"),
        scripts=SCRIPTS,
        notebook="notebooks/{results}.ipynb",
    output:
        "book/_executed/{profile}/{results}.ipynb",
    params:
        code=lambda w: notebooks.code_hash(f"notebooks/{w.results}.ipynb"),
    log:
        notebook=BOOK_LOGS + "/{results}-{profile}.ipynb",
    threads: THREADS
    shell:
        EXECUTE_PAGE + "-p profile {wildcards.profile}"


# All that pages on all profiles tell of.
TOLD = [
    *(page for profile in [*COMMITTED, NAME] for page in result_pages(profile)),
    *(STAMP(run) for run in (*TIMINGS, *STANDALONE)),
    *(record for profile in RECORDED for record in found(paths.results(profile), "records/*.json")),
    *found(paths.results(NAME), "records/conventions.json"),
]


rule story:
    """A page on all profiles: the claims, what the paper leaves open, the manual."""
    input:
        TOLD,
        scripts=SCRIPTS,
        notebook="notebooks/{story}.ipynb",
    output:
        "book/_executed/{story}.ipynb",
    params:
        code=lambda w: notebooks.code_hash(f"notebooks/{w.story}.ipynb"),
    log:
        notebook=BOOK_LOGS + "/{story}.ipynb",
    threads: THREADS
    shell:
        EXECUTE_PAGE


use rule story as first_page with:
    input:
        TOLD,
        DIAGRAMS,
        scripts=SCRIPTS,
        notebook="notebooks/overview.ipynb",
    output:
        "book/index.ipynb",
    params:
        code=notebooks.code_hash("notebooks/overview.ipynb"),
    log:
        notebook=BOOK_LOGS + "/overview.ipynb",


rule benchmarks:
    """How fast it is: the last results of the benchmarks that were committed.  Measures nothing."""
    input:
        found(paths.root(), "benchmarks/results/*.json"),
        [f"benchmarks/{module}.py" for module in ("contest", "goals", "results", "settings", "tables")],
        notebook="notebooks/benchmarks.ipynb",
    output:
        "book/_executed/benchmarks.ipynb",
    params:
        code=notebooks.code_hash("notebooks/benchmarks.ipynb"),
    log:
        notebook=BOOK_LOGS + "/benchmarks.ipynb",
    threads: THREADS
    shell:
        EXECUTE_PAGE


rule page:
    """A page that shows the library itself: the method, the distortions."""
    input:
        DIAGRAMS,
        scripts=SCRIPTS,
        notebook="notebooks/{page}.ipynb",
    output:
        "book/_executed/{page}.ipynb",
    params:
        code=lambda w: notebooks.code_hash(f"notebooks/{w.page}.ipynb"),
    log:
        notebook=BOOK_LOGS + "/{page}.ipynb",
    threads: THREADS
    shell:
        EXECUTE_PAGE

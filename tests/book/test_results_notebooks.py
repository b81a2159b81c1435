"""Notebooks that show results show those of their own profile, or none."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pandas as pd
import pytest
from support.frames import record, table2_results
from support.made_records import made_record
from support.notebooks import NOTEBOOKS, code_cells, execute, source
from support.project import ROOT

from qrlib.experiments import coverage, plan, profiles
from qrlib.records import store
from qrlib.report import render
from qrlib.utils.errors import QrlibError


def reads_and_no_more(path: Path) -> bool:
    """A notebook that measures makes its own records."""
    code = "".join(map(source, code_cells(path)))
    return "store.read(" in code and "evaluate." not in code


READING = [path for path in NOTEBOOKS if reads_and_no_more(path)]
#: Networks that the frame does not have, here with QRNet's results.
OTHERS = ("qrnet_lambda_0.1", "qrnet_lambda_0.001", "qrnet_unpretrained", "recnet_finetuned")
#: One that makes what a notebook shows, where quick does not.
PROFILES = {"left_open": "smoke", "retraining": "caltech101-half", "teachers": "caltech101-half"}


def write_records(profile: str, owner: str, **changed: str) -> None:
    """Evaluations in the folder of a profile that say they are of `owner`."""
    frame = table2_results(**(vars(profiles.load(profile).choice) | changed))
    qrnet = frame[frame["restorer"] == "qrnet-multiple"]
    others = [qrnet.assign(restorer=f"{name}-multiple") for name in OTHERS]
    frame = pd.concat([frame, *others])
    judge = profiles.load(profile).classifier.name
    for (restorer, seed), rows in frame.groupby(["restorer", "seed"]):
        name = f"evaluation-{restorer}-{judge}" + ("" if restorer == "none" else f"-seed{seed}")
        path = store.write(made_record(name, profile=profile, rows=rows))
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | {"profile": owner}))


@pytest.fixture
def rendered(monkeypatch):
    """The captions, and before them the headings, of the tables that were rendered."""
    captions: list[str] = []
    real = render.grid

    def grid(headings, rows, caption, *file, **more):
        captions.extend([" | ".join(map(str, headings)), caption])
        return real(headings, rows, caption, *file, **more)

    # Made from settings, not from records.
    monkeypatch.setattr("qrlib.report.run_settings.grid", real)
    for module in (
        "render",
        "claims.verdict_tables",
        "lambda_sweep",
        "table5_conventions",
        "classifier_inputs",
        "sampling",
    ):
        monkeypatch.setattr(f"qrlib.report.{module}.grid", grid)
    return captions


@pytest.mark.parametrize("path", READING, ids=lambda p: p.stem)
def test_the_line_of_a_figure_follows_it(path):
    """Tables have theirs from `qrlib.report.render.grid`; a diagram shows no numbers."""
    code = [(c["metadata"], source(c)) for c in code_cells(path)]
    for (about, drawn), (_, after) in zip(code, [*code[1:], ({}, "")], strict=True):
        if "figure" in about.get("mystnb", {}) and "SVG(" not in drawn:
            assert "behind(" in after, drawn


@pytest.mark.slow
@pytest.mark.parametrize("path", READING, ids=lambda p: p.stem)
def test_no_table_is_rendered_from_records_of_another_profile(path, rendered):
    profile = PROFILES.get(path.stem, "quick")
    write_records(profile, "caltech101")
    with pytest.raises(QrlibError, match=f"is of profile 'caltech101', not of '{profile}'"):
        execute(path, profile)
    assert rendered == []


@pytest.mark.slow
@pytest.mark.parametrize("path", READING, ids=lambda p: p.stem)
def test_no_table_is_rendered_from_records_of_another_setting(path, rendered):
    profile = PROFILES.get(path.stem, "quick")
    write_records(profile, profile, classifier="another")
    with pytest.raises(QrlibError, match="no accuracy results with classifier '"):
        execute(path, profile)
    assert rendered == []


#: The end-to-end tests run quick, and the pages of all that has records here.
UNSEEN = {*profiles.names()} - {"quick", "smoke", *coverage.recorded()}
FULL = {name: coverage.pages(profiles.load(name), there=False) for name in sorted(UNSEEN)}
FULL["caltech256"] = FULL["caltech256"][:2]  # beside printed numbers of its own


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, pages in FULL.items() if pages])
def test_every_results_page_that_a_profile_plans_can_be_made_from_its_records(name, rendered):
    """Else hours of training would end in a page that fails."""
    profile = profiles.load(name)
    named = {"parts": [*profile.parts, "heads", "crossed"]}  # on a page that has a place for them
    for x in plan.experiments_of(profile.model_copy(update=named)):
        for role in x.judges:
            judge = x.judged_by(role)
            same = {"dataset": profile.data.dataset, "classifier": judge.classifier.name}
            quality = {"psnr": 20.0, "ssim": 0.5}
            rows = [
                record(x.restorer, x.seed, *values, **same, metric=metric)
                for metric, values in [
                    ("accuracy", (0.8, 0.6, 0.5)),
                    *((metric, (value,) * 3) for metric, value in quality.items()),
                ]
            ]
            store.write(made_record(judge.evaluation_run, "evaluation", name, pd.concat(rows)))
    paper = "Paper: Caltech256" if name == "caltech256" else "Paper: Caltech101"
    for page in FULL[name]:
        rendered.clear()
        with contextlib.redirect_stdout(io.StringIO()):
            execute(ROOT / "notebooks" / f"{page}.ipynb", name)
        assert any(paper in text for text in rendered) or page not in ("recovery", "end_to_end")
        assert rendered, page

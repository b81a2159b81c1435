"""One file for a deposit: code, manifests of the data, records, weights and the built book.

The file is a zipped Research Object Crate (RO-Crate 1.1): `ro-crate-metadata.json` says what each part
is, which paper it is about, and which licence it has.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from qrlib.book import citation
from qrlib.book.table_of_contents import RUN_HERE
from qrlib.records import provenance
from qrlib.utils import files, paths
from qrlib.utils.errors import QrlibError

MIT = "https://spdx.org/licenses/MIT"


def make(target: str | Path, overwrite: bool = False) -> Path:
    """Write the archive of the commit that is checked out, with the book built from it.

    Args:
        target: file to write; its name ends in .zip.
        overwrite: whether to replace a file of this name.

    Raises:
        QrlibError: no .zip; the file is there; not a git checkout, or one with changes that no commit
            has; no built book; a disk that is full or read-only.
    """
    target, root = Path(target), paths.root()
    if target.suffix != ".zip":
        raise QrlibError(f"{target}: an archive is a .zip file; name it so")
    if target.exists() and not overwrite:
        raise QrlibError(f"{target} is there already: name another file, or pass --overwrite")
    book = root / "_build" / "html"
    if not (book / "index.html").is_file():
        raise QrlibError(f"no built book in {book}: run `make book` first")
    commit = _commit(root)
    with tempfile.TemporaryDirectory(prefix="qrlib-archive-") as folder:
        code = Path(folder) / "code"
        _check_out(root, commit, code)
        with files.replacing(target, overwrite) as temporary:
            _crate(root, code, book, commit).write_zip(temporary)
    return target


def _git(root: Path, *arguments: str) -> bytes:
    try:
        return provenance.git(root, "CITATION.cff", *arguments)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", b"").decode(errors="replace").strip() or str(error)
        raise QrlibError(
            f"{root} is no git checkout ({reason.splitlines()[0]}): an archive names the commit that it "
            "was made from"
        ) from error


def _commit(root: Path) -> str:
    changed = _git(root, "status", "--porcelain", "--untracked-files=no").decode().splitlines()
    if changed:
        raise QrlibError(
            f"{len(changed)} file(s) differ from the commit, first {changed[0][3:]}: commit or undo the "
            "changes, so that the archive is of one commit"
        )
    return _git(root, "rev-parse", "HEAD").decode().strip()


def _check_out(root: Path, commit: str, folder: Path) -> None:
    """The files of a commit, without its history."""
    content = io.BytesIO(_git(root, "archive", "--format=zip", commit))
    with zipfile.ZipFile(content) as archive:
        archive.extractall(folder)


def _crate(root: Path, code: Path, book: Path, commit: str) -> Any:
    from rocrate.model.contextentity import ContextEntity
    from rocrate.model.data_entity import DataEntity
    from rocrate.rocrate import ROCrate

    cited, paper = citation.software(), citation.paper()
    crate = ROCrate()
    crate.name = cited["title"]
    crate.description = " ".join(cited["abstract"].split())
    crate.license = crate.add(ContextEntity(crate, MIT, {"@type": "CreativeWork", "name": "MIT"}))
    article = crate.add(
        ContextEntity(
            crate,
            f"https://doi.org/{paper['doi']}",
            {
                "@type": "ScholarlyArticle",
                "name": paper["title"],
                "author": [f"{a['given-names']} {a['family-names']}" for a in paper["authors"]],
                "isPartOf": paper["journal"],
                "datePublished": str(paper["year"]),
            },
        )
    )
    crate.root_dataset["about"] = article
    crate.add_dataset(
        code,
        "code",
        properties={
            "@type": ["Dataset", "SoftwareSourceCode"],
            "name": "Code, profiles, notebooks, committed results",
            "version": cited["version"],
            "identifier": commit,
            "programmingLanguage": "Python",
        },
    )
    crate.add_dataset(book, "book", properties={"name": "The built book; open book/index.html"})
    if (paths.results(RUN_HERE) / "records").is_dir():  # in no commit
        crate.add_dataset(
            paths.results(RUN_HERE),
            f"code/results/{RUN_HERE}",
            properties={"name": f"Records of the {RUN_HERE} profile, run for the book"},
        )
    # Singled out among the files of the code, which are there already.
    for file in sorted((results := code / "results").rglob("*")):
        if described := _described(file, results):
            crate.add(DataEntity(crate, f"code/{file.relative_to(code).as_posix()}", described))
    return crate


def _described(file: Path, results: Path) -> dict[str, Any] | None:
    """Properties of trained weights and of manifests; None for other files."""
    if file.suffix == ".safetensors":
        profile, *inside = file.relative_to(results).parent.parts
        # A finished network of a run that is not complete lies in a folder called like its training.
        run = inside[-1] if inside[0] == "runs" else file.stem
        name = f"Trained weights: {profile}, {run}"
        form = "application/octet-stream"
    elif file.name.startswith("split-"):
        name, form = f"Which image is in which split: {file.parent.name}", "application/json"
    else:
        return None
    return {"@type": "File", "name": name, "encodingFormat": form, "sha256": files.file_hash(file)}

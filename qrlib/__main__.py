"""The command line: ``python -m qrlib --help``."""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile

from qrlib.utils import paths
from qrlib.utils.errors import QrlibError


def main(argv: list[str] | None = None) -> int:
    """Run one command; a `QrlibError`, or what the system refuses, is one line on stderr, and status 2."""
    parser = argparse.ArgumentParser(prog="python -m qrlib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run_profile = commands.add_parser("run", help="train and evaluate every network of a profile")
    run_profile.add_argument("profile", help="a file of profiles/ without its ending")
    book = commands.add_parser("book", help="run the quick profile and build the book")
    for command in (run_profile, book):
        command.add_argument(
            "--cores",
            type=_cores,
            help="processor cores to use (default: all); with --cluster, those of each job (default: 4)",
        )
        command.add_argument("--cluster", help="submit each job: slurm, or a folder of cluster/")
        command.add_argument("--dry-run", action="store_true", help="show what would run")
    train = commands.add_parser(
        "train", help="train and evaluate runs of a profile without notebooks (needs no Jupyter)"
    )
    train.add_argument("profile", help="a file of profiles/ without its ending")
    train.add_argument("runs", nargs="*", metavar="RUN", help="only these, and what they need")
    train.add_argument("--list", action="store_true", help="show the names of the runs")
    recover = commands.add_parser(
        "recover", help="restore a photograph of your own with a trained network"
    )
    recover.add_argument("photo", help="what Pillow reads: JPEG, PNG, TIFF, WebP, ...")
    recover.add_argument(
        "--out", required=True, help="file to write: .png, .jpg, .webp or .tif decides the format"
    )
    recover.add_argument("--profile", help="whose network (default: the best that is shipped)")
    recover.add_argument("--variant", default="qrnet", help="default: %(default)s")
    recover.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    recover.add_argument(
        "--tile",
        type=int,
        default=512,
        help="pixels a side of what is restored at a time; less needs less memory (default: 512)",
    )
    recover.add_argument("--overwrite", action="store_true", help="replace the file --out names")
    recover.add_argument(
        "--explain",
        action="store_true",
        help="say what an ImageNet classifier (EfficientNet-Lite0) sees before and after",
    )
    recover.add_argument(
        "--max-pixels", type=int, help="accept photographs of up to so many (default: 178,956,970)"
    )
    archive = commands.add_parser(
        "archive", help="write code, manifests, records, weights and the built book into one file"
    )
    archive.add_argument("file", help="a .zip file")
    archive.add_argument("--overwrite", action="store_true", help="replace the file")
    execute_run = commands.add_parser(
        "execute-run", help="(for the Snakefile) run a training notebook and keep it in the results"
    )
    execute_page = commands.add_parser(
        "execute-page", help="(for the Snakefile) run the notebook of a page"
    )
    for command in (execute_run, execute_page):
        command.add_argument("notebook")
        command.add_argument("executed", help="its path while it runs")
        command.add_argument(
            "-p", dest="parameters", nargs=2, action="append", default=[], metavar=("NAME", "VALUE")
        )
    execute_run.add_argument("profile")
    execute_run.add_argument("stamp")
    execute_run.add_argument("records", nargs="+", help="names of the records it writes")
    execute_page.add_argument("target")
    assemble = commands.add_parser(
        "assemble", help="(for the Snakefile) collect the book's notebooks, and list its pages"
    )
    assemble.add_argument("profiles", nargs="+")
    live = commands.add_parser("live", help="(for the Snakefile) make what the live page loads")
    live.add_argument("profile")
    arguments = parser.parse_args(argv)

    try:
        paths.check_variables()
        return _run(arguments)
    except (KeyboardInterrupt, SystemExit) as stop:
        print("stopped", file=sys.stderr)
        # Lightning makes a SystemExit of SIGTERM, and one with a status of Ctrl-C.
        return 143 if isinstance(stop, SystemExit) and not stop.code else 130
    except QrlibError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.filename is None or error.strerror is None:
            raise
        name, reason = os.fsdecode(error.filename), error.strerror
        if isinstance(error, PermissionError):
            reason += ": this user may not use it; change its owner or mode, or name another"
        print(f"error: {name}: {reason}", file=sys.stderr)
        return 2


def _cores(text: str) -> int:
    """A number of cores; argparse shows the error."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


class _Output(io.FileIO):
    """A stream that nobody may be reading any more, and a disk that may be full: what it says is lost."""

    def write(self, content: bytes) -> int:  # type: ignore[override]
        try:
            return super().write(content) or 0
        except OSError:
            return len(content)

    @classmethod
    def replace_stream(cls, name: str) -> None:
        """So that no message can fail what it is about, nor can a name that the terminal has no letters for."""
        stream = getattr(sys, name)
        if stream is None or not isinstance(stream, io.TextIOWrapper):
            return
        raw = io.BufferedWriter(cls(stream.fileno(), "w", closefd=False))  # type: ignore[type-var]
        said = io.TextIOWrapper(raw, stream.encoding, "backslashreplace", line_buffering=True)
        setattr(sys, name, said)


def _run(arguments: argparse.Namespace) -> int:
    """Each command imports only what it needs: all together take seconds."""
    match arguments.command:
        case "run" | "book" as command:
            from qrlib.workflow import run

            book = command == "book"
            profile, target = ("quick", "book") if book else (arguments.profile, "all")
            return run.run(profile, target, arguments.cores, arguments.dry_run, arguments.cluster)
        case "train":
            from qrlib.experiments import headless, profiles
            from qrlib.workflow import environment

            if arguments.list:
                print("\n".join(headless.runs_by_name(profiles.load(arguments.profile))))
            else:
                tempfile.tempdir = environment.temporary_folder()
                records = headless.run(arguments.profile, arguments.runs)
                folder = paths.below_root(paths.results(arguments.profile) / "records")
                print(f"{len(set(records))} records in {folder}")
        case "recover":
            from qrlib.inference.recover import recover_file

            report = recover_file(
                arguments.photo,
                arguments.out,
                profile=arguments.profile,
                variant=arguments.variant,
                seed=arguments.seed,
                tile=arguments.tile,
                overwrite=arguments.overwrite,
                max_pixels=arguments.max_pixels,
                explain=arguments.explain,
            )
            print(report)
        case "archive":
            from qrlib.workflow import ro_crate

            crate = ro_crate.make(arguments.file, arguments.overwrite)
            print(f"{crate}: {crate.stat().st_size / 1e6:.0f} MB")
        case "execute-run":
            from qrlib.workflow import run

            parameters = {"profile": arguments.profile, **dict(arguments.parameters)}
            run.execute(arguments.notebook, arguments.executed, parameters)
            run.publish(arguments.executed, arguments.profile, arguments.stamp, arguments.records)
        case "execute-page":
            from qrlib.book import notebooks
            from qrlib.workflow import run

            run.execute(arguments.notebook, arguments.executed, dict(arguments.parameters))
            notebooks.page(arguments.executed, arguments.target)
        case "assemble":
            from qrlib.book import notebooks, table_of_contents

            notebooks.assemble(arguments.profiles)
            table_of_contents.write()
        case "live":
            from qrlib.book import try_it

            try_it.make(arguments.profile)
    return 0


if __name__ == "__main__":
    _Output.replace_stream("stdout")
    _Output.replace_stream("stderr")
    sys.exit(main())

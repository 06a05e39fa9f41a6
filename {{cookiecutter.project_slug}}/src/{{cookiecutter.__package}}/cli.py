"""The command line. It parses before torch loads, so that help and mistakes are answered at once."""

import contextlib
import io
import itertools
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from .config import Settings
from .errors import ConfigError, ExperimentError, StorageError, exit_code
from .run import find_run, is_done
from .settings_file import check_changes, read_flags, to_yaml
from .signals import StopRequest

PROGRAM = "{{ cookiecutter.project_slug }}"


@dataclass(frozen=True, kw_only=True)
class Common:
    """What all commands take."""

    settings: Annotated[Settings, tyro.conf.arg(name="")] = field(default_factory=Settings)
    debug: bool = False
    """Show the traceback of an error, too."""


@dataclass(frozen=True, kw_only=True)
class Train(Common):
    """Train a model, then score its best checkpoint on the test split."""

    config: Path | None = None
    """A YAML file of settings, such as the config.yaml of another run; flags have the last word."""
    resume: str | None = None
    """Continue a run directory, or `auto`: the newest run of this --name, a new one if there is none."""
    fast_dev_run: bool = False
    """Try every phase on one batch, and leave nothing behind (lesson 3 of the notes)."""


@dataclass(frozen=True, kw_only=True)
class Inspect(Common):
    """Look at the data as training would: arrays, splits, classes, model."""


Command = Annotated[Train, tyro.conf.subcommand("train")] | Annotated[Inspect, tyro.conf.subcommand("inspect")]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code. A failure ends with one line: what; where; how to fix it."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        command = parse(Command, arguments)
        if isinstance(command, Train):
            train(command, arguments[1:])
        else:
            from .commands import inspect

            inspect.run(command.settings)
        return 0
    except KeyboardInterrupt:
        print("error: stopped by Ctrl-C; before the work was done; run it again", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the output has had enough of it
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        return 0
    except Exception as error:
        code = exit_code(error)
        if code == 1 or "--debug" in arguments:
            traceback.print_exc()
        print(f"error: {sentence(error)}", file=sys.stderr)
        return code


def sentence(error: Exception) -> str:
    """Return what is wrong, where, and how to fix it, for any exception."""
    if isinstance(error, ExperimentError):
        return str(error)
    if exit_code(error) == StorageError.exit_code and isinstance(error, OSError):
        return f"{error.strerror}; {error.filename or 'in the run directory'}; make room, or choose another --runs-dir"
    # A bug, or an exception in code that the user has edited: the last place in this package is where to look.
    frames = traceback.extract_tb(error.__traceback__)
    frame = next(frame for frame in reversed(frames) if Path(frame.filename).is_relative_to(Path(__file__).parent))
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"{what}; {frame.filename}:{frame.lineno}; see the traceback above"


def train(command: Train, flags: list[str]) -> None:
    """Resolve --config and --resume into settings and a run directory, then train."""
    if command.resume is not None and command.fast_dev_run:
        what, fix = "--resume and --fast-dev-run exclude each other", "give one of them"
        raise ConfigError(what, "on the command line", fix)
    stop = StopRequest()
    if not command.fast_dev_run:  # which has nothing to save
        stop.listen()
    if command.config:
        flags = [*flags_of(command.config), *flags]
        command = parse(Train, flags)
    folder = None
    if command.resume is not None:
        folder = find_run(command.resume, command.settings)
        if folder is None:
            print(f"nothing to resume in {command.settings.runs_dir / command.settings.name}: starting a new run")
    if folder:
        saved_flags = flags_of(folder / "config.yaml")
        saved = parse(Train, saved_flags).settings
        command = parse(Train, [*saved_flags, *flags])
        check_changes(to_yaml(saved), command.settings, folder)
        same_end = command.settings.epochs <= saved.epochs and command.settings.patience == saved.patience
        if is_done(folder) and same_end:
            print(f"already finished: {folder}; train it longer with --epochs")
            return

    from .commands import train

    train.run(command.settings, folder=folder, fast_dev_run=command.fast_dev_run, stop=stop)


def flags_of(path: Path) -> list[str]:
    """Return the flags that a YAML file of settings holds. Raises ConfigError, naming the file, if one is wrong."""
    flags = read_flags(path)
    parse(Settings, flags, where=f"in {path}", add_help=False)
    return flags


def parse(kind: Any, arguments: list[str], *, where: str = "on the command line", add_help: bool = True) -> Any:
    """Return the dataclass `kind` that the arguments describe. Raises ConfigError; leaves with 0 after --help."""
    box = io.StringIO()
    try:
        with contextlib.redirect_stderr(box):
            return tyro.cli(kind, prog=PROGRAM, args=arguments, add_help=add_help)
    except SystemExit as leaving:
        if not leaving.code:
            raise
        # tyro draws a box: below its title, the first paragraph says what is wrong, the next may name the nearest flag.
        rows = [row.strip("│ ") for row in box.getvalue().splitlines()[1:-1]]
        paragraphs = [list(group) for text, group in itertools.groupby(rows, lambda row: bool(row.strip("─-"))) if text]
        flags = [row.split()[0].rstrip(",") for row in itertools.chain(*paragraphs[1:]) if row.startswith("--")]
        near = "Perhaps you meant:" in rows and flags[0] not in arguments
        fix = f"perhaps you meant {flags[0]}" if near else f"see {PROGRAM} --help"
        raise ConfigError(" ".join(paragraphs[0]).rstrip("."), where, fix) from None

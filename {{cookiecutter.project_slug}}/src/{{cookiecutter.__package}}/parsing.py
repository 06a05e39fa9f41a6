"""Flags become dataclasses, by tyro; whatever it objects to is said in one sentence. Torch-free."""

import contextlib
import io
import itertools
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tyro
import yaml

from .config import Settings
from .errors import ConfigError
from .settings_file import flags_in, flatten, read_flags, to_yaml

PROGRAM = "{{ cookiecutter.project_slug }}"


def flags_of(path: Path) -> list[str]:
    """Return the flags that a YAML file of settings holds. Raises ConfigError, naming the file, if one is wrong."""
    flags = read_flags(path)
    parse(Settings, flags, where=f"in {path}", add_help=False)
    return flags


def check_saved(settings: Settings) -> None:
    """Raise ConfigError unless config.yaml would bring the settings back: in Python, they may be anything."""
    fix = "make it what its field says: a number, a text, a path, yes or no (bool), or a tuple of these"
    try:
        back = parse(type(settings), flags_in(to_yaml(settings), "in config.yaml"), add_help=False)
    except (ConfigError, yaml.YAMLError) as error:
        what = f"config.yaml could not hold the settings ({str(error).partition('; ')[0]})"
        raise ConfigError(what, "in config.py, or where they are made", fix) from None
    given, found = (dict(flatten(asdict(each))) for each in (settings, back))
    if changed := [name for name in given if given[name] != found[name]]:
        what = f"config.yaml would make {found[changed[0]]!r} of --{changed[0]}, which is {given[changed[0]]!r}"
        raise ConfigError(what, "in config.py, or where the settings are made", fix)


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
        # What is indented most is the help of a flag.
        rows = [row.strip("│ ") for row in box.getvalue().splitlines()[1:-1] if not row.startswith("│" + " " * 9)]
        paragraphs = [list(group) for text, group in itertools.groupby(rows, lambda row: bool(row.strip("─-"))) if text]
        flags = [row.split()[0].rstrip(",") for row in itertools.chain(*paragraphs[1:]) if row.startswith("--")]
        near = "Perhaps you meant:" in rows and flags[0] not in [argument.partition("=")[0] for argument in arguments]
        what = " ".join(paragraphs[0]).rstrip(".")
        fix = f"perhaps you meant {flags[0]}" if near else f"see {PROGRAM} --help"
        path = what.removeprefix("Unrecognized options: ").removeprefix("--data, ")
        if path in arguments and Path(path).exists():
            is_run = Path(path, "config.yaml").exists()
            fix = "give one RUN" if is_run else f"perhaps you meant --data.path {path}"
        raise ConfigError(what, where, fix) from None

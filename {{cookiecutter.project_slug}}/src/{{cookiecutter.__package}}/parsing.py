"""Flags become dataclasses, by tyro; whatever it objects to is said in one sentence. Torch-free."""

import contextlib
import difflib
import io
import re
import threading
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tyro
import yaml

from .config import Settings
from .errors import ConfigError
from .settings_file import flags_in, flatten, read_flags, to_yaml

PROGRAM = "{{ cookiecutter.project_slug }}"
MEANT = {  # by what people write from habit
    "--learning-rate": "perhaps you meant --lr",
    "--cuda": "perhaps you meant --device cuda",
    "--data": "perhaps you meant --data.path",
    "--gpu": "perhaps you meant --device cuda",
    "--model": "the model is that of model.py; for another one, use the template again",
    "--optimizer": "the optimizer is that of optimizer.py",
}
PLAINER = {  # what tyro says, and what that means
    r"Error parsing (\S+): (?:invalid literal for int|no type.*INT).*?('.*')]?": r"\1 is a whole number, not \2",
    r"Error parsing (\S+): (?:could not convert|no type.*FLOAT).*?('.*')]?": r"\1 is a number, not \2",
    r"Missing value for argument '\(?'?(-[^',]+).*Expected 1 .*": r"\1 has no value",
    r"Missing value for argument '(\w+)'.*": r"\1 is missing (it takes no flag), or a flag before it is unknown",
}
LOCK = threading.Lock()  # of stderr, while it is redirected: the last of several threads would leave it so


def flags_of(path: Path) -> list[str]:
    """Return the flags that a YAML file of settings holds. Raises ConfigError if one of them is wrong."""
    flags = read_flags(path)
    parse(Settings, flags, where=f"in {path}", add_help=False)
    return flags


def check_saved(settings: Settings) -> None:
    """Raise ConfigError unless config.yaml would bring the settings back: code can put anything into them."""
    fix = "make it what its field says: a number, a text, a path, yes or no (bool), or a tuple of these"
    try:
        back = parse(type(settings), flags_in(to_yaml(settings), "in config.yaml"), add_help=False)
    except (ConfigError, yaml.YAMLError) as error:
        what = f"config.yaml could not hold the settings ({getattr(error, 'what', error)})"
        raise ConfigError(what, "in config.py, or where they are made", fix) from None
    given, found = (dict(flatten(asdict(each))) for each in (settings, back))
    if changed := [name for name in given if given[name] != found[name]]:
        what = f"config.yaml would make {found[changed[0]]!r} of --{changed[0]}, which is {given[changed[0]]!r}"
        raise ConfigError(what, "in config.py, or where the settings are made", fix)


def command_in(arguments: list[str], commands: Collection[str]) -> str:
    """Return the command that comes first; "" if there is a call for help. Raises ConfigError if it is neither."""
    name = arguments[0].replace("_", "-") if arguments else ""
    if name in ("--help", "-h") or name.startswith("--tyro-"):  # which completes shell commands
        return ""
    if name not in commands:
        near = difflib.get_close_matches(name.lower(), commands, 1)
        fix = f"perhaps you meant {near[0]}" if near else f"put one of these first: {', '.join(commands)}"
        what = f"{arguments[0]!r} is not a command" if arguments else "no command is given"
        raise ConfigError(what, "on the command line", fix)
    return name


def parse(kind: Any, arguments: list[str], *, command: str = "train", where: str = "", add_help: bool = True) -> Any:
    """Return the dataclass `kind` that the arguments describe. Raises ConfigError; leaves with 0 after --help."""
    box = io.StringIO()
    try:
        with LOCK, contextlib.redirect_stderr(box):
            return tyro.cli(kind, prog=f"{PROGRAM} {command}".strip(), args=arguments, add_help=add_help)
    except SystemExit as leaving:
        if not leaving.code:
            raise
        what, nearest = read_box(box.getvalue())
        raise ConfigError(what, where or "on the command line", advice(what, nearest, arguments, command)) from None


def read_box(box: str) -> tuple[str, str | None]:
    """Return what is wrong, by the box that tyro draws, and the flag that may have been meant."""
    rows = [row.strip("│").rstrip() for row in box.splitlines()[1:-1]]
    text = "\n".join(row.strip() for row in rows if not row.startswith(" " * 9))  # so far in, there is only help
    what, *others = filter(None, map(str.strip, re.split("^[─-]*$", text, flags=re.MULTILINE)))  # lines lie between
    what = " ".join(what.split())
    for pattern, plainly in PLAINER.items():
        what = re.sub(pattern, plainly, what)
    meant = re.search(r"Perhaps you meant:[\s\S]*?^(--[^\s,]+)", "\n".join(others), re.MULTILINE)
    return what.rstrip("."), meant[1] if meant else None


def advice(what: str, nearest: str | None, arguments: list[str], command: str) -> str:
    """Return how to mend the arguments."""
    unknown = what.removeprefix("Unrecognized options: ")
    given = {argument.replace(" ", ""): argument for argument in arguments}  # tyro breaks long ones
    path = given.get(unknown.removeprefix("--data, ").replace(" ", ""), "").removeprefix("--data=")
    if path and (Path(path).exists() or path.endswith((".npz", ".npy"))):
        if path.endswith((".yaml", ".yml")):
            return f"perhaps you meant --config {path}"
        return "give one RUN" if Path(path, "config.yaml").exists() else f"perhaps you meant --data.path {path}"
    words = re.split("=|, ", unknown.lower().replace("_", "-"))
    if words[-1] in ("yes", "no", "true", "false") or words[0].startswith("--no-"):
        return "a setting is switched on by its flag alone, and off as in --data.no-normalise"
    if words[0] in MEANT:
        return MEANT[words[0]]
    if nearest and nearest not in (argument.partition("=")[0] for argument in arguments):
        return f"perhaps you meant {nearest}"
    return f"see {PROGRAM} {command} --help"

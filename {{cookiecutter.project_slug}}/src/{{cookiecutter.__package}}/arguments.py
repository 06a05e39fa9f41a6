"""What can be said on the command line, as dataclasses, and the parser that tyro makes of them. Torch-free."""

import contextlib
import io
import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import tyro
import yaml

from .config import ModelSettings, Settings, TaskSettings
from .data_config import DataSettings
from .errors import ConfigError, require
from .settings_file import flags_in, read_flags, to_yaml

PROGRAM = "{{ cookiecutter.project_slug }}"


@dataclass(frozen=True, kw_only=True)
class Common:
    """What all commands take."""

    debug: bool = False
    """Show the traceback of an error, too."""


@dataclass(frozen=True, kw_only=True)
class Train(Common):
    """Train a model, then score its best checkpoint on the test split."""

    settings: Annotated[Settings, tyro.conf.arg(name="")] = field(default_factory=Settings)
    config: Optional[Path] = None
    """A YAML file of settings, such as the config.yaml of another run; flags have the last word."""
    resume: Optional[str] = None
    """Continue a run directory, or `auto`: the newest run of this --name, a new one if there is none."""
    fast_dev_run: bool = False
    """Try every phase but the drawing on one batch, and leave nothing behind (lesson 3 of the notes)."""


@dataclass(frozen=True, kw_only=True)
class Inspect(Common):
    """Look at the data as training would: arrays, classes, splits, what the model makes of a sample."""

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    task: TaskSettings = field(default_factory=TaskSettings)


@dataclass(frozen=True, kw_only=True)
class OtherData:
    """Other data than the run was trained on; what is left out, is as it was there."""

    path: Optional[Path] = None
    """An .npz file, a folder of .npy files, or one .npy file of samples."""
    x: Optional[str] = None
    """The name of the samples."""
    y: Optional[str] = None
    """The name of the targets."""
    channels: Optional[Literal["auto", "first", "last", "none"]] = None
    """Where a sample has its channels."""


@dataclass(frozen=True, kw_only=True)
class Use(Common):
    """What the commands take that use a trained run."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run directory whose best checkpoint is used."""
    data: OtherData = field(default_factory=OtherData)
    device: str = "auto"
    """auto (a GPU if there is one), cpu, cuda, cuda:1 or mps."""


@dataclass(frozen=True, kw_only=True)
class Evaluate(Use):
    """Score a run's best checkpoint on a split of its data, or on the data of --data.path; prints JSON."""

    split: Literal["val", "test"] = "test"
    """Which split; data that has none is scored whole."""


@dataclass(frozen=True, kw_only=True)
class Predict(Use):
    """Predict new samples with a run's best checkpoint, under the original names and in the order of the file."""

    out: Path
    """Where to: a .csv, .npz or .npy file that is not there yet."""


@dataclass(frozen=True, kw_only=True)
class ImportImages(Common):
    """Turn pictures, in a folder for each class, into one .npz to train on; or new ones, in one folder, to predict.

    Of animations, the first picture is taken; transparency is dropped.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """Where the folders are, whose names become the classes; or where the new pictures are."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT.npz")]
    """Where to: an .npz file that is not there yet."""
    resize: str = "none"
    """Give all pictures the same size: 64 makes both sides so long, 48x64 these (height x width)."""

    def __post_init__(self) -> None:
        fits = re.fullmatch(r"none|[1-9]\d{,4}(x[1-9]\d{,4})?", self.resize)
        require(fits is not None, "resize", self.resize, "none, 64 (both sides), or height x width such as 48x64")


Command = (
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Predict, tyro.conf.subcommand("predict")]
    | Annotated[ImportImages, tyro.conf.subcommand("import-images")]
)


def flags_of(path: Path) -> list[str]:
    """Return the flags that a YAML file of settings holds. Raises ConfigError, naming the file, if one is wrong."""
    flags = read_flags(path)
    parse(Settings, flags, where=f"in {path}", add_help=False)
    return flags


def check_saved(settings: Settings) -> None:
    """Raise ConfigError unless config.yaml would bring the settings back: a field of one's own can be of any type."""
    try:
        text = to_yaml(settings)
        same = to_yaml(parse(type(settings), flags_in(text, "in config.yaml"), add_help=False)) == text
    except (ConfigError, yaml.YAMLError):
        same = False
    if not same:
        fix = "make it a number, a text, a path, yes or no (bool), or a tuple of these"
        raise ConfigError("a setting of your own is of a type that config.yaml cannot hold", "in config.py", fix)


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
        if (path := what.removeprefix("Unrecognized options: ")) in arguments and Path(path).exists():
            is_run = Path(path, "config.yaml").exists()
            fix = "give one RUN" if is_run else f"perhaps you meant --data.path {path}"
        raise ConfigError(what, where, fix) from None

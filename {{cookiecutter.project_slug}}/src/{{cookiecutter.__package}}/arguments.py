"""What can be said on the command line, as dataclasses. Torch-free."""

import re
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Literal, Optional

import tyro

from .config import ModelSettings, Settings, TaskSettings
from .data_config import DataSettings
from .errors import require


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
    """Continue this run, or `auto`: the newest of --name that nobody trains and no flag contradicts, or a first one."""
    fast_dev_run: bool = False
    """Try every phase except the figures on one batch, and leave nothing behind (lesson 3 of the notes)."""


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
    """An .npz file, a folder of .npy files, or, for `predict`, one .npy file of samples."""
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

    split: Literal["train", "val", "test"] = "test"
    """Which split (`train`: what it learned from); data that has none is scored whole."""


@dataclass(frozen=True, kw_only=True)
class Predict(Use):
    """Predict new samples with a run's best checkpoint, under the original names and in the order of the file."""

    out: Path
    """Where to: a .csv or .npz file that is not there yet."""


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
    """Give all pictures the same size: 64 makes both sides 64 long, 48x64 is height x width."""
    colours: Literal["auto", "grey", "rgb"] = "auto"
    """`auto`: rgb if one of them has colours, or a palette. New ones need those that were learned from."""

    def __post_init__(self) -> None:
        fits = re.fullmatch(r"none|[1-9]\d{,4}(x[1-9]\d{,4})?", self.resize)
        require(fits is not None, "resize", self.resize, "none, 64 (both sides), or height x width such as 48x64")


COMMANDS = {"train": Train, "inspect": Inspect, "evaluate": Evaluate, "predict": Predict, "import-images": ImportImages}
# Not a plain union: to name its commands, tyro would import typeguard.
Command = reduce(or_, (Annotated[kind, tyro.conf.subcommand(name)] for name, kind in COMMANDS.items()))

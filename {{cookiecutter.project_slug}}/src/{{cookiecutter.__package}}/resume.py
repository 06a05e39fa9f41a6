"""Runs that are there already: which one is continued, and with which settings. Torch-free."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from .arguments import Train
from .config import Settings
from .data_config import DataSettings
from .errors import RefusedError
from .parsing import parse
from .run import read_json, settings_of, state_of
from .settings_file import check_changes, read_flags, saved_settings
from .torchrun import has_partners


@dataclass(frozen=True)
class Resumed:
    """A run that is continued, with the settings that it was left with, and those that it goes on with."""

    folder: Path
    saved: Settings
    settings: Settings
    added: list[str]  # settings that the code has got since, as flags

    @property
    def needs(self) -> str | None:
        """What would train it longer, if it has ended and that was not asked for."""
        state = state_of(self.folder)
        if state == "stopped_early" and 0 < self.settings.patience <= self.saved.patience:
            return "more --patience (and --epochs, if all are done)"
        if state == "finished" and self.settings.epochs <= self.saved.epochs:
            return "--epochs"
        return None


def find_run(command: Train, flags: list[str]) -> Resumed | None:
    """Return the run that --resume names; for `auto`, the newest unlocked one that began as the flags say, if any.

    Raises ConfigError if it is not a run, and RefusedError if it, or all of this name, began with other settings.
    """
    named, parent = Path(command.resume or ""), command.settings.runs_dir / command.settings.name
    refusals = []
    for folder in unlocked(parent) if command.resume == "auto" else [named]:
        saved, _ = settings_of(folder)
        for name in ("status.json", "capsule.json"):
            read_json(folder / name)  # a run whose files are damaged is not passed over
        try:
            return continued(folder, saved, flags)
        except RefusedError as error:  # another one may have begun so: those of a sweep share a name
            if folder == named or any(folder.glob("checkpoints/*.pt")):  # else, there is nothing to continue
                refusals.append(error)
    if refusals:
        raise refusals[0]
    return None


def continued(folder: Path, saved: Settings, flags: list[str]) -> Resumed:
    """Return the run in a folder with what the flags change. Raises RefusedError if they may not."""
    config = folder / "config.yaml"
    settings = parse(Train, [*read_flags(config), *flags]).settings
    resumed = Resumed(folder, saved, settings, check_changes(saved_settings(config, saved), settings, folder))
    if settings.data.path != saved.data.path or (resumed.needs and settings.data.path.exists()):
        check_data(folder, settings.data)
    return resumed


def check_data(folder: Path, data: DataSettings) -> None:
    """Raise RefusedError if the run in a folder began with other data than this."""
    from .array_file import ArrayFile  # with NumPy, which a new run needs later

    began = read_json(folder / "capsule.json").get("data_sha256")
    if began not in (None, ArrayFile(data.path).sha256(data.x, data.y, data.groups)):
        fix = "put the old data back, or start a new run"
        raise RefusedError("the data has changed since the run began", f"{data.path} for {folder}", fix)


def unlocked(parent: Path) -> Iterator[Path]:
    """Yield the run directories that nobody trains, the newest first."""
    for config in sorted(parent.glob("????????-??????-????/config.yaml"), reverse=True):
        if has_partners() or not is_locked(config.parent):  # they must choose the same one: it is locked later
            yield config.parent


def is_locked(folder: Path) -> bool:
    """Return whether some process trains the run; whoever looks, or takes the lock, holds .look meanwhile."""
    try:
        with FileLock(folder / ".look", timeout=10, poll_interval=0.001), FileLock(folder / ".lock", timeout=0):
            return False
    except Timeout:
        return True

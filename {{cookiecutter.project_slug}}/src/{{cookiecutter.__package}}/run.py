"""The run directory: created once, locked while it trains, and saying at all times what became of it."""

import json
import os
import platform
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .config import Settings
from .errors import ConfigError, DivergedError, Interrupted, RefusedError, StorageError, exit_code
from .parsing import parse
from .settings_file import check_changes, read_flags, saved_settings, to_yaml
from .storage import sync_folder, write_atomically


class Run:
    """A run directory that is locked by this process; leaving the `with` writes how it ended to status.json."""

    def __init__(self, folder: Path, settings: Settings, *, begun: bool = False) -> None:
        self.folder, self.settings = folder, settings
        checkpoints = folder / "checkpoints"
        self.last = checkpoints / "last.pt"  # from which `--resume` continues
        self.previous = checkpoints / "previous.pt"  # the one before, should that one get damaged
        self.best = checkpoints / "best.pt"  # the one that scored best on the validation split
        self.begun = begun  # whether status.json is to say how it ended
        self.outcome = ("finished", "nothing was left to do")
        self._lock = FileLock(folder / ".lock", timeout=0)
        self._holder = folder / ".holder"  # of the lock; status.json may speak of one that was killed

    @classmethod
    def create(cls, settings: Settings) -> "Run":
        """Make a directory that no other process can have: runs/<name>/<date>-<time, in UTC>-<4 hex of the second>."""
        parent = settings.runs_dir / settings.name
        if parent.is_symlink():
            raise ConfigError("the folder for runs of this name is a link", str(parent), "choose another --name")
        try:
            parent.mkdir(parents=True, exist_ok=True)
            while True:
                time = datetime.now(UTC)
                folder = parent / f"{time:%Y%m%d-%H%M%S}-{time.microsecond * 2**16 // 10**6:04x}"  # sorted by time
                with suppress(FileExistsError):
                    folder.mkdir()
                    for each in folder.parents:  # what is saved in it should be found after a power cut
                        with suppress(PermissionError):  # of one that may be written, but not read
                            sync_folder(each)
                    return cls(folder, settings, begun=True)
        except OSError as error:
            what = f"cannot create a run directory ({error.strerror})"
            raise StorageError(what, str(parent), "choose another --runs-dir") from error

    def __enter__(self) -> "Run":
        try:
            with FileLock(self.folder / ".look", timeout=10, poll_interval=0.001):
                self._lock.acquire()
                self._holder.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
        except Timeout as error:
            who = ""
            with suppress(OSError):  # it has just ended
                who = self._holder.read_text(encoding="utf-8")
            what, fix = f"the run is being trained by {who or 'another process'}", "wait for it, or start a new run"
            raise RefusedError(what, str(self.folder), fix) from error
        return self

    def begin(self) -> None:
        """Say that the run trains, with which settings; what is refused before leaves it as it was."""
        self.begun = True
        self.last.parent.mkdir(exist_ok=True)
        for unfinished in self.last.parent.glob("*.tmp"):  # of a process that was killed
            unfinished.unlink()
        self.write_status("running", "", None)
        (self.folder / "evaluation.json").unlink(missing_ok=True)  # of a checkpoint that may not stay the best
        write_atomically(self.folder / "config.yaml", to_yaml(self.settings).encode())

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self.write_status(*self.outcome, 0)
            elif self.begun:
                state = {Interrupted: "interrupted", DivergedError: "diverged"}.get(type(error), "failed")
                with suppress(StorageError):  # what has ended the training is what must be said
                    self.write_status(state, str(error) or type(error).__name__, exit_code(error))
        finally:
            with suppress(OSError):  # the disk is gone, or the folder
                self._holder.unlink()
            self._lock.release()

    def write_status(self, state: str, reason: str, exit_code: int | None) -> None:
        """Say what the run is doing, or how it ended."""
        holder = {"pid": os.getpid(), "host": platform.node(), "time": now()}
        self.write_json("status.json", {"state": state, "reason": reason, "exit_code": exit_code, **holder})

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a small file of the run, whole or not at all."""
        text = json.dumps(content, indent=2, ensure_ascii=False, default=float) + "\n"
        write_atomically(self.folder / name, text.encode(errors="backslashreplace"))  # of odd names of files


def config_of(folder: Path) -> Path:
    """Return the settings file of a run directory. Raises ConfigError if it is not one."""
    config = folder / "config.yaml"
    if not config.is_file():
        fix = "give a directory such as runs/<name>/<date>-<time>-<hex>"
        raise ConfigError("there is no run", f"at {folder}, seen from {Path.cwd()}", fix)
    return config


def settings_of(folder: Path) -> tuple[Settings, list[str]]:
    """Return the settings of a run, and as flags those of them that the code has got since.

    Raises ConfigError if it is not a run, and RefusedError if the code does not take all of its settings.
    """
    config = config_of(folder)
    try:
        saved = parse(Settings, read_flags(config), add_help=False)
    except ConfigError as error:
        what = f"this code does not take the settings of the run ({error.what})"
        raise RefusedError(what, f"in {config}", "use the code that wrote them, or put back a whole file") from None
    return saved, check_changes(saved_settings(config, saved), saved, folder)


def state_of(folder: Path) -> str | None:
    """Return what status.json says of the run, if it is there."""
    return read_json(folder / "status.json").get("state")


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a file of the run, empty if it is not there. Raises RefusedError if it is damaged."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
    except (TypeError, ValueError) as error:
        raise RefusedError(f"the file is damaged ({error})", str(path), "remove it, then resume again") from error


def now() -> str:
    """Return the time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")

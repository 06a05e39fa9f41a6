"""Checkpoints: plain dicts of tensors and plain types, written whole or not at all, verified when read."""

import io
import zipfile
from pathlib import Path
from typing import Any

import torch

from .errors import ConfigError, RefusedError
from .run import Run, config_of, is_done
from .settings_file import check_changes
from .storage import write_atomically

FORMAT = 3  # of the dict that is saved


def save_checkpoint(state: dict[str, Any], *paths: Path) -> None:
    """Write the state; a checkpoint that stood there before is replaced only by a whole one. Raises StorageError."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    for path in paths:
        write_atomically(path, buffer.getbuffer(), verify=verify)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a state on the CPU, without running anything it may hold. Raises RefusedError if it is damaged."""
    try:
        verify(path)
        state: dict[str, Any] = dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many kinds; none of them may pass for "no checkpoint"
        reason = " ".join(str(error).split()[:20])
        raise RefusedError(
            f"the checkpoint cannot be read ({type(error).__name__}: {reason})",
            str(path),
            "put back a whole copy, or start a new run",
        ) from error
    if state.get("format") != FORMAT:
        fix = "put back a copy, or start a new run"
        raise RefusedError("this is not a checkpoint of this project, or of another version", str(path), fix)
    return state


def last_checkpoint(run: Run) -> dict[str, Any] | None:
    """Return the checkpoint that a run continues, or None if it has none yet.

    Raises RefusedError, with nothing in the run directory changed, if something of it is gone or does not match.
    """
    another = "put a copy back, or start a new run"
    if not run.last.exists():
        if is_done(run.folder):
            raise RefusedError("the last checkpoint is gone", str(run.last), another)
        return None
    checkpoint = load_checkpoint(run.last)
    check_changes(checkpoint["settings"], run.settings, run.folder)
    if checkpoint["early_stopping"]["best_epoch"] is not None and not run.best.exists():
        raise RefusedError("the best checkpoint is gone", str(run.best), another)
    return checkpoint


def load_best(run: Path) -> dict[str, Any]:
    """Read the best checkpoint of a run directory. Raises ConfigError if there is none."""
    path = config_of(run).parent / "checkpoints" / "best.pt"
    if not path.is_file():
        raise ConfigError("the run has no best checkpoint", str(path), "train it for an epoch at least: --resume")
    return load_checkpoint(path)


def verify(path: Path) -> None:
    """Raise OSError if a bit of the file has changed: torch itself does not look at the checksums of its zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile as error:
        raise OSError(f"not a whole checkpoint: {error}") from error
    if damaged is not None:
        raise OSError(f"{damaged} is damaged")

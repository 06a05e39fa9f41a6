"""Checkpoints: plain dicts of tensors and plain types, written whole or not at all, verified when read."""

import io
import zipfile
from pathlib import Path
from typing import Any

import torch

from .errors import RefusedError
from .storage import write_atomically


def save_checkpoint(state: dict[str, Any], *paths: Path) -> None:
    """Write the state; a checkpoint that stood there before is replaced only by a whole one. Raises StorageError."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    for path in paths:
        write_atomically(path, buffer.getbuffer(), verify=verify)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a state on the CPU, without running anything it may hold. Raises RefusedError if it is damaged."""
    try:
        verify(path)
        state: dict[str, Any] = dict(torch.load(path, map_location="cpu", weights_only=True))
        return state
    except Exception as error:  # torch raises many kinds; none of them may pass for "no checkpoint"
        reason = " ".join(str(error).split()[:20])
        raise RefusedError(
            f"the checkpoint cannot be read ({type(error).__name__}: {reason})",
            str(path),
            "put back a whole copy, or start a new run",
        ) from error


def verify(path: Path) -> None:
    """Raise OSError if a bit of the file has changed: torch itself does not look at the checksums of its zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile as error:
        raise OSError(f"not a whole checkpoint: {error}") from error
    if damaged is not None:
        raise OSError(f"{damaged} is damaged")

"""Checkpoints: plain dicts of tensors and plain types, written whole or not at all, verified when read."""

import io
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .errors import ConfigError, RefusedError
from .storage import write_atomically

FORMAT = 2  # of the dict that is saved


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


def load_best(run: Path) -> dict[str, Any]:
    """Read the best checkpoint of a run directory. Raises ConfigError if there is none."""
    path = run / "checkpoints" / "best.pt"
    if not path.is_file():
        where = f"at {path}, seen from {Path.cwd()}"
        raise ConfigError("there is no best checkpoint", where, "give a run directory that has trained for an epoch")
    return load_checkpoint(path)


def load_weights(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Put saved weights into a model of the same shape. Raises RefusedError if model.py has been changed since."""
    saved, built = ({name: tensor.shape for name, tensor in d.items()} for d in (weights, model.state_dict()))
    if saved != built:
        what = "the model has other weights than when the run began"
        raise RefusedError(what, "in model.py", "undo the change, or start a new run")
    model.load_state_dict(weights)


def load_what_fits(model: nn.Module, weights: dict[str, Tensor]) -> list[str]:
    """Copy the weights that the model has in the same shape; return the names of its others, which stay as they are."""
    own = model.state_dict()
    fitting = {name: tensor for name, tensor in weights.items() if name in own and own[name].shape == tensor.shape}
    model.load_state_dict(fitting, strict=False)
    return [name for name in own if name not in fitting]


def verify(path: Path) -> None:
    """Raise OSError if a bit of the file has changed: torch itself does not look at the checksums of its zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile as error:
        raise OSError(f"not a whole checkpoint: {error}") from error
    if damaged is not None:
        raise OSError(f"{damaged} is damaged")

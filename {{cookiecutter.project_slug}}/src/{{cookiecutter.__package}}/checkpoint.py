"""Checkpoints: plain dicts of tensors and plain types, written whole or not at all, verified when read."""

import errno
import io
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

from .errors import ConfigError, RefusedError, StorageError, note, out_of_memory
from .run import Run, config_of, state_of
from .settings_file import check_changes
from .storage import write_atomically

FORMAT = 8  # of the dict that is saved
DAMAGED = "damaged.pt"  # where a damaged last.pt is kept
PLAIN = {bool, int, float, str, type(None), torch.Tensor}
PUT_BACK = "put back a whole copy, or start a new run"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def serialize(state: dict[str, Any]) -> bytes:
    """Return a state as the bytes of its file. Raises ConfigError if it could not be read again from there."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    data = buffer.getvalue()  # without a copy, as long as nobody writes to the buffer
    try:
        if not is_plain(state):  # to read it, though without the numbers, takes as long as to write it
            torch.load(io.BytesIO(data), map_location="meta", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"a checkpoint would hold a {found[1] if found else 'thing'}, which could not be read again"
        fix = "keep tensors and plain numbers and texts there: float(number)"
        raise ConfigError(what, "in a state of the model, the optimizer or the trainer", fix) from error
    return data


def is_plain(thing: Any) -> bool:
    """Return whether it is a number, a text, a tensor, or a dict, list or tuple of such."""
    if type(thing) in (dict, OrderedDict):
        return is_plain([*thing, *thing.values()])
    return all(map(is_plain, thing)) if type(thing) in (list, tuple) else type(thing) in PLAIN


def write_checkpoint(data: bytes, path: Path, *, keep: Path | None = None) -> None:
    """Write a serialized state. What stood there is replaced only by a whole checkpoint, and goes to `keep`.

    On a full disk, previous.pt beside it makes room. Raises StorageError; a checkpoint that stood there is then still
    whole, at `path` or at `keep`.
    """
    try:
        write_atomically(path, data, verify=verify, keep=keep)
    except StorageError as error:
        previous, last = path.with_name("previous.pt"), path.with_name("last.pt")
        is_full = isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL
        if not (is_full and previous.exists() and last.exists()):
            raise
        previous.unlink()
        write_atomically(path, data, verify=verify, keep=keep)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a state on the CPU, without running anything it may hold. Raises RefusedError if it is damaged."""
    try:
        verify(path)
        state: dict[str, Any] = dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many kinds; none of them may pass for "no checkpoint"
        if out_of_memory(error) or isinstance(error, PermissionError):
            raise  # the file may be whole
        what = f"the checkpoint cannot be read ({type(error).__name__}: {' '.join(str(error).split()[:20])})"
        raise RefusedError(what, str(path), PUT_BACK) from error
    if state.get("format") != FORMAT:
        raise RefusedError("this is not a checkpoint of this project, or of another version", str(path), PUT_BACK)
    return state


def last_checkpoint(run: Run) -> dict[str, Any] | None:
    """Return the checkpoint that a run continues, or None if it has saved none.

    The last one, or else the one before it; the best one, if that is newer. "source" says which, and why; "damaged",
    whether last.pt is to be set aside. Raises RefusedError, rather than start anew.
    """
    there = [path for path in (run.last, run.previous, run.best) if path.exists()]
    if there in ([], [run.best]) and must_have_saved(run):
        raise RefusedError("the last checkpoint is gone", str(run.last), PUT_BACK)
    if not there:
        note("the run had not saved anything: it begins anew")
        return None
    first, *others = there
    source = first.name if first == run.last else f"{first.name}, since there is no {run.last.name}"
    is_damaged = False
    try:
        checkpoint = load_checkpoint(first)
    except RefusedError as error:
        if first != run.last or not others:
            raise
        checkpoint, is_damaged = load_checkpoint(others[0]), True
        source = f"{others[0].name}, since {error}; it is kept as {DAMAGED}"
    if run.best.exists():
        best = load_checkpoint(run.best)
        if best["progress"]["step"] > checkpoint["progress"]["step"]:
            checkpoint, source = best, f"{run.best.name}, which is newer than {source}"
    elif checkpoint["early_stopping"]["best_epoch"] is not None:
        raise RefusedError("the best checkpoint is gone", str(run.best), PUT_BACK)
    check_changes(checkpoint["settings"], run.settings, run.folder)
    return {**checkpoint, "source": source, "damaged": is_damaged}


def must_have_saved(run: Run) -> bool:
    """Return whether the run's files tell of a last checkpoint that should be there."""
    metrics = run.folder / "metrics.jsonl"
    third_epoch = metrics.exists() and metrics.read_bytes().count(b"\n") > 2  # by then, the first one was saved
    set_aside = run.best.exists() and run.last.with_name(DAMAGED).exists()  # perhaps killed before the next one
    return (third_epoch and not set_aside) or state_of(run.folder) in ("finished", "stopped_early", "interrupted")


def load_best(run: Path) -> dict[str, Any]:
    """Read the best checkpoint of a run directory. Raises ConfigError if there is none."""
    path = config_of(run).parent / "checkpoints" / "best.pt"
    if not path.is_file():
        fix = "resume it, or train another one, until --monitor is a number after an epoch"
        raise ConfigError("the run has no best checkpoint", str(path), fix)
    return load_checkpoint(path)


def verify(path: Path) -> None:
    """Raise OSError if a bit of the file has changed: torch itself does not look at the checksums of its zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (OSError, MemoryError):
        raise
    except Exception as error:  # zipfile raises many kinds
        raise OSError(f"not a whole checkpoint: {error}") from error
    if damaged is not None:
        raise OSError(f"{damaged} is damaged")

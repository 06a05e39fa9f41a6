"""What is needed to repeat a run: command, code, data, versions, machine, and whether it would give the same bits."""

import hashlib
import os
import platform
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from .errors import RefusedError, note
from .run import Run, now, read_json, state_of


def write_capsule(run: Run, *, exact: bool, **facts: Any) -> list[str]:
    """Write capsule.json, with a line for each start of the run; return what is not as it was when it began.

    The run is exact only if every start was, with the same code, device and versions, and with as many epochs: the
    learning rate depends on their number. What else git tells is written down only: a commit changes no bits.
    """
    versions = {"torch": str(torch.__version__), **{name: version(name) for name in ("numpy", "tensorboard")}}
    conditions = {
        "epochs": run.settings.epochs,
        **facts,
        "threads": torch.get_num_threads(),
        "cpu": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",  # by its vectors, sums differ
        "versions": {"python": platform.python_version(), **versions},
        "code_sha256": code_sha256(),
        "git_commit": (git("rev-parse", "HEAD") or "").strip() or None,
        "git_diff": git("diff", "--no-ext-diff", "--no-textconv", "HEAD"),
        "git_untracked": git("ls-files", "--others", "--exclude-standard", "--full-name", "../.."),  # of the project
    }
    first = read_json(run.folder / "capsule.json")
    has_saved = any(run.last.parent.glob("*.pt"))
    starts = first["starts"] if isinstance(first.get("starts"), list) else []
    if not (has_saved and starts and "exact" in first):  # it begins, or begins anew; or nobody knows how it did
        first = {"exact": not has_saved, "starts": starts, **conditions}
    changed = {name: value for name, value in conditions.items() if first.get(name) != value}
    decisive = [name for name in changed if not name.startswith("git_")]  # the code that runs has its own digest
    capsule = {
        **first,
        "exact": exact and first["exact"] and not decisive,
        "seed": run.settings.seed,
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "starts": [*first["starts"], {"time": now(), "command": sys.argv, "folder": str(Path.cwd()), **changed}],
    }
    run.write_json("capsule.json", capsule)
    return decisive


def note_doubts(folder: Path) -> None:
    """Say so if the run in this folder has not ended, or if this is not the code that began to train it."""
    with suppress(OSError, RefusedError):  # nobody listens, or the file is damaged: it is only a note
        if state_of(folder) not in ("finished", "stopped_early", None):  # its file may have been left behind
            note("the run has not finished; later epochs may be better")
        if read_json(folder / "capsule.json").get("code_sha256") not in (None, code_sha256()):
            note("the code has changed since the run began; its scores may be others")


def code_sha256() -> str:
    """Return the SHA-256 of this package's code, which also tells of changes that git was not told of."""
    package = Path(__file__).parent
    names = sorted(path.relative_to(package).as_posix() for path in package.rglob("*.py"))
    code = {name: (package / name).read_bytes() for name in names if "/." not in f"/{name}"}  # not those of editors
    return hashlib.sha256(repr(code).encode()).hexdigest()


def git(*arguments: str) -> str | None:
    """Return what git says about the code, or None outside a repository."""
    plain = ["-c", "color.diff=never", "-c", "diff.noprefix=false"]  # as `git apply` takes it, whatever the user likes
    command = ["git", *plain, "-C", str(Path(__file__).parent), *arguments]
    with suppress(OSError, subprocess.CalledProcessError):
        return subprocess.check_output(command, stderr=subprocess.DEVNULL).decode(errors="replace")
    return None

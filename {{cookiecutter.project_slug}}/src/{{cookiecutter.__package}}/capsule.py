"""What is needed to repeat a run: command, code, data, versions, machine, and whether it would give the same bits."""

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .run import Run, now, read_json


def write_capsule(run: Run, *, exact: bool, **facts: Any) -> None:
    """Write capsule.json, with a line for each start of the run.

    A run is exact only if every start was, and with the same number of epochs, on which the learning rate depends.
    """
    earlier = read_json(run.folder / "capsule.json")
    epochs = run.settings.epochs
    exact = exact and earlier.get("exact", True) and earlier.get("epochs", epochs) == epochs
    start = {"time": now(), "command": sys.argv, "folder": str(Path.cwd())}
    run.write_json(
        "capsule.json",
        {
            "exact": exact,
            "starts": [*earlier.get("starts", []), start],
            "seed": run.settings.seed,
            "epochs": epochs,
            **facts,
            "git_commit": git("rev-parse", "HEAD"),
            "git_diff": git("diff", "HEAD"),
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in ("torch", "numpy", "tensorboard")},
            },
            "hardware": {"machine": platform.machine(), "cores": os.cpu_count()},
            "system": platform.platform(),
        },
    )


def git(*arguments: str) -> str | None:
    """Return what git says about the code, or None outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None

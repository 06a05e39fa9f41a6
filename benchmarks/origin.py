"""What the benchmarks share: renders to measure, and where a figure comes from."""

import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml
from cookiecutter.main import cookiecutter

ROOT = Path(__file__).parents[1]


def render(folder: Path, **answers: str) -> Path:
    """Render the template into a folder, without touching HOME; return the project's folder."""
    with tempfile.TemporaryDirectory() as own:
        options = {"no_input": True, "overwrite_if_exists": True, "config_file": str(write_user_config(Path(own)))}
        return Path(cookiecutter(str(ROOT), extra_context=answers, output_dir=str(folder), **options))


def write_user_config(folder: Path) -> Path:
    """Write a cookiecutter configuration that keeps replays and clones in the folder."""
    config = {"replay_dir": str(folder / "replay"), "cookiecutters_dir": str(folder / "cookiecutters")}
    path = folder / "cookiecutter.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def environment(project: Path, **variables: str) -> dict[str, str]:
    """Return the environment in which a render that is not installed runs."""
    paths = os.pathsep.join(filter(None, [str(project / "src"), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": paths, **variables}


def origin(*packages: str) -> dict[str, Any]:
    """Return date, commit, machine and versions."""
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{processor()}",
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }


def processor() -> str:
    """Return what Linux calls the processor, and which vectors it has, on which the time of a step depends."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
    names = re.findall(r"^model name\s*: (.+)$", text, re.MULTILINE)
    vectors = next((each for each in ("avx512f", "avx2") if each in text), "no wide vectors")
    return f" of {names[0]} ({vectors})" if names else ""


def commit() -> str:
    """Return what git calls the commit; a copy without git's folder, or a machine without git, does not know it."""
    git = ["git", "describe", "--always", "--dirty"]
    try:
        return subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"

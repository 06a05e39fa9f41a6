"""Settings as YAML: a config file is nothing but flags that are written down. Torch-free."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from .config import Settings
from .errors import ConfigError, RefusedError

# What may change when a run is resumed; the data is known by its digest, wherever it lies.
MAY_CHANGE = ("--runs-dir=", "--epochs=", "--patience=", "--device=", "--data.path=")


def to_yaml(settings: Settings) -> str:
    """Return the settings as YAML."""
    plain = asdict(settings, dict_factory=lambda items: {k: str(v) if isinstance(v, Path) else v for k, v in items})
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def check_changes(saved: str, wanted: Settings, run: Path) -> None:
    """Raise RefusedError if a resumed run would go on with other settings than it began with, `saved` as YAML."""
    before, after = (
        {flag for flag in to_flags(yaml.safe_load(text)) if not flag.startswith(MAY_CHANGE)}
        for text in (saved, to_yaml(wanted))
    )
    if before != after:
        what = f"the run began with {' '.join(sorted(before - after))}, not {' '.join(sorted(after - before))}"
        raise RefusedError(what, f"in {run}", "resume without these flags, or start a new run")


def read_flags(path: Path) -> list[str]:
    """Read a YAML file of settings as command-line flags. Raises ConfigError if it is not one."""
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).replace("\n", " ")
        raise ConfigError(f"cannot read the settings ({reason})", str(path), "give a YAML file") from error
    if not isinstance(settings, Mapping):
        raise ConfigError("the file holds no settings", str(path), "write lines such as `lr: 0.01`")
    return list(to_flags(settings))


def to_flags(settings: Mapping[Any, Any], prefix: str = "") -> Iterator[str]:
    """{"data": {"path": "a.npz"}, "lr": 0.1} -> --data.path=a.npz --lr=0.1"""
    for key, value in settings.items():
        name = str(key).replace("_", "-")
        if isinstance(value, Mapping):
            yield from to_flags(value, f"{prefix}{name}.")
        elif isinstance(value, bool):
            yield f"--{prefix}{name}" if value else f"--{prefix}no-{name}"
        else:
            yield f"--{prefix}{name}={value}"

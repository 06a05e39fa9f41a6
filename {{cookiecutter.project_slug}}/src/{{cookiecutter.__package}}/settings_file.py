"""Settings as YAML: a config file is nothing but flags that are written down. Torch-free."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import yaml

from .config import Settings
from .data_config import DataSettings
from .errors import ConfigError, RefusedError

# What may change when a run is resumed; the data is known by its digest, wherever it lies.
MAY_CHANGE = {"runs-dir", "epochs", "patience", "checkpoint-every", "device", "cuda-graph", "data.path"}


def to_yaml(settings: Settings) -> str:
    """Return the settings as YAML. Raises YAMLError if one of them is of a type that it does not know."""
    return yaml.dump(asdict(settings), Dumper=Dumper, sort_keys=False, allow_unicode=True)


def saved_settings(path: Path, settings: Settings) -> str:
    """Return those of the settings that were read from a file, as YAML: the code may have got others since."""
    named = dict(flatten(Loader(path.read_text(encoding="utf-8")).get_single_data()))
    return yaml.safe_dump({n: value for n, value in flatten(yaml.safe_load(to_yaml(settings))) if n in named})


def check_changes(saved: str, wanted: Settings, run: Path) -> list[str]:
    """Return, as flags, the settings that the code has got since a run began with those that are `saved` as YAML.

    Raises RefusedError if the run would go on with others than it began with.
    """
    before, after = (dict(flatten(yaml.safe_load(text))) for text in (saved, to_yaml(wanted)))
    if gone := [name for name in before if name not in after]:
        fix = "go back to the code that has it, or start a new run"
        raise RefusedError(f"the run began with --{gone[0]}={before[gone[0]]}, which is gone", f"in {run}", fix)
    if changed := [name for name in before if name not in MAY_CHANGE and before[name] != after[name]]:
        began, asked = (" ".join(f"--{name}={values[name]}" for name in changed) for values in (before, after))
        fix = "leave these flags out, or undo the edit of config.yaml, or start a new run"
        raise RefusedError(f"the run began with {began}, not {asked}", f"in {run}", fix)
    return [f"--{name}={value}" for name, value in after.items() if name not in before]


def saved_data(saved: str) -> DataSettings:
    """Return the settings of the data that were `saved` in YAML, as far as the code has them."""
    data = yaml.safe_load(saved)["data"]
    known = {field.name: data[field.name] for field in fields(DataSettings) if field.name in data}
    return DataSettings(**{**known, "path": Path(known["path"])})


class Dumper(yaml.SafeDumper):
    """Writes YAML, a path as text."""


Dumper.add_multi_representer(Path, lambda dumper, path: dumper.represent_str(str(path)))


class Loader(yaml.SafeLoader):
    """Reads YAML, but no name twice: the first value would be lost without a word.

    Numbers and dates stay as they are written: a run may be called 010 or 12:30.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a dict. Raises YAMLError if a name is there twice."""
        names = Counter(str(key.value).replace("_", "-") for key, _ in node.value)
        if twice := [name for name, times in names.items() if times > 1]:
            raise yaml.YAMLError(f"{twice[0]} is there twice")
        return super().construct_mapping(node, deep)


Loader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0].endswith((":bool", ":null", ":merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\.(inf|nan)$", re.IGNORECASE), list("-+."))


def read_flags(path: Path) -> list[str]:
    """Read a YAML file of settings as command-line flags. Raises ConfigError if it is not one."""
    try:
        return flags_in(path.read_text(encoding="utf-8"), str(path))
    except (OSError, ValueError, LookupError, AttributeError, RecursionError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).replace('"<unicode string>", ', "").split())
        raise ConfigError(f"cannot read the settings ({reason})", str(path), "give a YAML file, in UTF-8") from error


def flags_in(text: str, where: str) -> list[str]:
    """Return the flags that stand for settings in YAML. Raises ConfigError or YAMLError if it does not hold any."""
    settings = Loader(text).get_single_data()
    if not isinstance(settings, Mapping):
        raise ConfigError("the file holds no settings", where, "write lines such as `lr: 0.01`")
    for key, value in settings.items():  # before anything follows its aliases, which could make it endless
        group = list(value.values()) if isinstance(value, Mapping) else [value]
        inner = [each for one in group for each in (one if isinstance(one, list) else [one])]
        if any(isinstance(each, Mapping | list) for each in inner):
            fix = "write lines such as `lr: 0.01`, and below `data:` lines such as `  path: mine.npz`"
            raise ConfigError(f"{key!r} holds settings too deep inside", where, fix)
    if twice := [name for name, times in Counter(name for name, _ in flatten(settings)).items() if times > 1]:
        raise yaml.YAMLError(f"{twice[0]} is there twice")
    defaults = dict(flatten(asdict(Settings())))
    for name, value in flatten(settings):
        if value is None and defaults.get(name, "") is not None:
            raise ConfigError(f"{name} has no value", where, "give it one, or remove its line")
        if isinstance(value, bool) and not isinstance(defaults.get(name, value), bool):
            raise ConfigError(f"{name} has a word that YAML reads as {value}", where, "put quotes around it")
        if isinstance(defaults.get(name), bool) and not isinstance(value, bool):
            raise ConfigError(f"--{name} is {value!r}", where, "write true or false, without quotes")
        if isinstance(value, list) and not isinstance(defaults.get(name, ()), list | tuple):
            raise ConfigError(f"{name} has several values", where, "give it one")
    return list(to_flags(settings))


def to_flags(settings: Mapping[Any, Any]) -> Iterator[str]:
    """{"data": {"path": "a.npz"}, "compile": False, "mine": [3, 4]} -> --data.path=a.npz --no-compile --mine 3 4"""
    for name, value in flatten(settings):
        if isinstance(value, bool):
            group, dot, last = name.rpartition(".")
            yield f"--{name}" if value else f"--{group}{dot}no-{last}"
        elif isinstance(value, list):
            yield from (f"--{name}", *map(str, value))
        else:
            yield f"--{name}={value}"


def flatten(settings: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """{"data": {"split_seed": 3}, "lambda_": 1} -> ("data.split-seed", 3), ("lambda_", 1)"""
    for key, value in settings.items():
        inner = str(key).rpartition(".")[2].strip("_")  # of a name that may be flat already
        name = prefix + str(key).replace(inner, inner.replace("_", "-"))
        if isinstance(value, Mapping):
            yield from flatten(value, f"{name}.")
        else:
            yield name, value

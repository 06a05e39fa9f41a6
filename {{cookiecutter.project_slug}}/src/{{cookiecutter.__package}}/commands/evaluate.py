"""`evaluate`: score the best checkpoint of a run, on a split of its own data or on other data."""

import json
from pathlib import Path

from ..array_file import ArrayFile, sha256
from ..arrays import given_splits, load, load_splits
from ..config import Settings
from ..data import build_dataset
from ..errors import DataError, RefusedError
from ..inference import Trained
from ..splits import Split


def run(folder: Path, settings: Settings, *, split: str, other_data: bool) -> None:
    """Print the scores as JSON. Raises ConfigError, DataError, RefusedError."""
    trained = Trained(folder, settings)
    name, arrays = choose(settings, trained.data_sha256, split=split, other_data=other_data)
    where = f"in {settings.data.path}" if name == "all" else f"in the {name} split of {settings.data.path}"
    dataset = build_dataset(arrays.x, trained.targets.encode(arrays.y, where), training=False)
    print(json.dumps({"split": name, **trained.score(dataset)}, indent=2))


def choose(settings: Settings, data_sha256: str, *, split: str, other_data: bool) -> tuple[str, Split]:
    """Return what to score: the split of the run's own data, or of other data that split, or all if it has no splits.

    Raises DataError, and RefusedError if the run's data has changed: samples that it trained on could be among them.
    """
    path = settings.data.path
    file = ArrayFile(path)
    if sha256(path) == data_sha256:
        splits = load_splits(file, settings.data)
    elif not other_data:
        fix = "put the old data back, or say --data.path, and all of it that has no split is scored"
        raise RefusedError("the data has changed since the run began", str(path), fix)
    elif given := given_splits(file, settings.data):
        splits = {name: load(file, settings.data, f"_{name}") for name in given}
    else:
        return "all", load(file, settings.data)
    if split not in splits:
        raise DataError(f"there is no {split} split", f"in {path}", f"choose one with --split: {', '.join(splits)}")
    return split, splits[split]

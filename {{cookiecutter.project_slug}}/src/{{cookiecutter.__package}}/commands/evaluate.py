"""`evaluate`: score the best checkpoint of a run, on a split of its own data or on other data."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from ..array_file import ArrayFile
from ..arrays import given_splits, load, load_splits
from ..config import Settings
from ..data import build_dataset
from ..data_config import DataSettings
from ..errors import ConfigError, DataError, RefusedError, note
from ..inference import Trained
from ..survey import digests, learned


def run(folder: Path, settings: Settings, data: DataSettings, *, split: str) -> None:
    """Print the scores as JSON. Raises ConfigError, DataError, RefusedError."""
    trained = Trained(folder, settings)
    file = ArrayFile(data.path)
    own = replace(settings.data, resident="auto")  # this may be a smaller machine
    sha256 = file.sha256(own.x, own.y, own.groups)
    if sha256 == trained.data_sha256:
        if (data.x, data.y, data.channels) != (own.x, own.y, own.channels):
            fix = "leave out --data.x, --data.y and --data.channels, or save what you want to score as another file"
            raise ConfigError("the run's own data is split as it was in training", str(data.path), fix)
        splits = load_splits(file, replace(own, path=data.path))
    elif data.path.resolve() == own.path.resolve():  # its test split could hold samples that the run trained on
        fix = "put the old data back; other data is scored under another name, with --data.path"
        raise RefusedError("the data has changed since the run began", str(data.path), fix)
    elif given := given_splits(file, data):
        splits = {split: load(file, data, f"_{split}")} if split in given else {}
    else:
        split, splits = "all", {"all": load(file, data)}
    if split not in splits:
        fix = "score another one with --split, or name the arrays x and y: all of them are scored"
        raise DataError(f"there is no {split} split", f"in {data.path}", fix)
    chosen = splits[split]
    dataset = build_dataset(chosen.x, trained.targets.encode(chosen.y, f"in {split} of {data.path}"), own)
    trained.check_samples(dataset, data.path)
    if sha256 != trained.data_sha256:
        for count in learned({split: digests(chosen.x)}, own, trained.data_sha256).values():
            note(f"the run has learned from {count:,} of the {len(chosen):,} samples: its scores on them are too good")
    scores = {"split": split, **trained.score(dataset)}
    names, encoding = "".join(scores), getattr(sys.stdout, "encoding", None) or "ascii"  # names may hold anything
    readable = names.isprintable() and names.encode(encoding, "ignore").decode(encoding) == names
    print(json.dumps(scores, indent=2, ensure_ascii=not readable, default=float))

"""`inspect`: show the data as training would take it, or the sentence that training would give."""

import numpy as np

from ..arrays import load_splits, read_arrays
from ..config import Settings
from ..experiment import Experiment
from ..task import Task


def run(settings: Settings) -> None:
    """Print the arrays, the splits, the balance of the classes and the model. Raises DataError, ConfigError."""
    print(f"{settings.data.path} holds:")
    for name, array in read_arrays(settings.data.path).items():
        numbers = array.dtype.kind in "biuf" and array.size
        values = f"  {array.min():g} to {array.max():g}" if numbers else ""
        print(f"  {name:<12} {array.dtype!s:<8} {array.shape}{values}")

    splits = load_splits(settings.data, Task.strata)
    print("training would use:")
    for name, split in splits.items():
        print(f"  {name:<12} {len(split):,} samples of shape {split.x.shape[1:]}, channels first")

    experiment = Experiment(settings)
    print(f"  to learn     {experiment.task.describe()}")
    for name in splits:
        counts = np.bincount(experiment.splits[name].y, minlength=experiment.task.out_size)
        print(f"  {name:<12} {counts.min()} to {counts.max()} samples of each class")
    print(f"with the model:\n{experiment.model}")

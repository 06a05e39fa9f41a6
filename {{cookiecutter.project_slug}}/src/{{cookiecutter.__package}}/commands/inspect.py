"""`inspect`: show the data as training would take it, or the sentence that training would give."""

from ..arrays import read_arrays
from ..config import Settings
from ..experiment import Experiment


def run(settings: Settings) -> None:
    """Print the arrays, the splits, what is learned and the model. Raises DataError, ConfigError."""
    print(f"{settings.data.path} holds:")
    for name, array in read_arrays(settings.data.path).items():
        numbers = array.dtype.kind in "biuf" and array.size
        values = f"  {array.min():g} to {array.max():g}" if numbers else ""
        print(f"  {name:<12} {array.dtype!s:<8} {array.shape}{values}")

    experiment = Experiment(settings)
    print(f"training would learn {experiment.task.describe()}")
    for name, dataset in experiment.splits.items():
        shape = f"{len(dataset):,} samples of shape {experiment.sample_shape}, channels first"
        print(f"  {name:<12} {shape}; {experiment.task.balance(dataset.y)}")
    print(f"with the model:\n{experiment.model}")

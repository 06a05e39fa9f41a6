"""`inspect`: what the data is, and what training would make of it, without waiting for torch."""

import shlex
from dataclasses import asdict

from ..array_file import ArrayFile
from ..arrays import input_shape, load_splits
from ..config import ModelSettings, TaskSettings
from ..data_config import DataSettings
from ..errors import printable
from ..survey import describe_array, origin, shared
from ..targets import Targets

AXES = {1: "features", 2: "channels length", 3: "channels height width", 4: "channels depth height width"}


def run(settings: DataSettings, model: ModelSettings, task: TaskSettings, *, program: str, flags: list[str]) -> None:
    """Print what there is, then what training would do with it. Raises what training would raise.

    It sees what the files hold; what somebody has changed in data.py or model.py, only training sees.
    """
    file = ArrayFile(settings.path)
    show(f"{file.path} holds")
    for name in file.members:
        show(f"  {name:<14} {describe_array(file, name)}")

    splits = load_splits(file, settings)
    targets = Targets.learn(splits["train"].y, task, f"in the training split of {file.path}")
    for name, split in splits.items():
        targets.encode(split.y, f"in the {name} split of {file.path}")
    shape = splits["train"].x.shape[1:]
    axes = AXES[len(shape)].split() if len(shape) in AXES else [f"axis {axis + 1}" for axis in range(len(shape))]
    show("training takes it as")
    show("  sample    " + ", ".join(f"{axis} {size}" for axis, size in zip(axes, shape, strict=True)))
    show(f"  targets   {targets.describe()}")
    sizes = ", ".join(f"{len(split):,} {name}" for name, split in splits.items())
    show(f"  splits    {sizes}; {origin(file, settings, splits)}")
    for line in targets.balance({name: split.y for name, split in splits.items()}):
        show(f"            {line}")
    for line in shared(splits) or ["no sample is in two splits"]:
        show(f"  shared    {line}")

    if others := file.others(settings.x, settings.y, settings.groups, "files"):
        show(f"  not used  {', '.join(others)}")
    used = input_shape(shape, settings.resize, model.minimum_size)
    outline = model.outline(used)
    if outline is None:
        from ..model import build_model  # which takes a second, and has the sentence for it

        build_model(used, targets.out_size, **asdict(model))
    if used != shape:
        least = ", the least that the model takes" if settings.resize == "none" else ""
        show(f"  resize    samples become {used}{least}")
    show(f"  model     {outline or 'what build_model returns'}")
    show(f"train it: {shlex.join([program, 'train', *flags])}")


def show(line: str) -> None:
    """Print a line; names in files may hold anything."""
    print(printable(line), flush=True)  # an error comes after it, in a file, too

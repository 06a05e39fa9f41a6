"""`inspect`: what the data is, and what training would make of it, without waiting for torch."""

import shlex
from dataclasses import asdict
from math import prod

from ..array_file import ArrayFile
from ..arrays import enlarge, load_splits
from ..config import DataSettings, ModelSettings
from ..errors import printable
from ..survey import constant_features, origin, shared, summary
from ..targets import Targets

AXES = {
    1: ("features",), 2: ("channels", "length"), 3: ("channels", "height", "width"),
    4: ("channels", "depth", "height", "width"),
}  # fmt: skip
LARGE = 2**30  # bytes


def run(settings: DataSettings, model: ModelSettings, *, program: str, flags: list[str]) -> None:
    """Print what there is, then what training would do with it. Raises what training would raise.

    It sees what the files hold; what somebody has changed in data.py or model.py, only training sees.
    """
    file = ArrayFile(settings.path)
    show(f"{file.path} holds")
    for name in file.members:
        show(f"  {name:<14} {summary(file, name)}")

    if file.path.suffix == ".npz" and file.path.stat().st_size > LARGE:
        show("  hint: an .npz is read whole before it is split; a folder of .npy files takes half of the memory")

    splits = load_splits(file, settings)
    targets = Targets.learn(splits["train"].y, f"in the training split of {file.path}")
    encoded = {name: targets.encode(split.y, f"in the {name} split of {file.path}") for name, split in splits.items()}
    shape = splits["train"].x.shape[1:]
    saved = file.header(settings.x if settings.x in file.members else f"{settings.x}_train").shape[1:]
    axes = AXES.get(len(shape), tuple(f"axis {axis}" for axis in range(1, len(shape) + 1)))
    constant = constant_features(splits["train"].x)
    show("training takes it as")
    taken = ", ".join(f"{axis} {size}" for axis, size in zip(axes, shape, strict=True))
    show(f"  sample    {taken}{'' if saved == shape else f', from {saved}'}")
    show(f"  targets   {targets.describe()}")
    sizes = ", ".join(f"{len(split):,} {name}" for name, split in splits.items())
    show(f"  splits    {sizes}; {origin(file, settings, splits)}")
    for line in targets.balance(encoded):
        show(f"            {line}")
    for line in shared(splits):
        show(f"  shared    {line}")
    first = f"; the first is {list(constant[0])}" if constant else ""
    show(f"  constant  {len(constant)} of the {prod(shape)} numbers of a sample, in train{first}")

    input_shape = enlarge(shape, model.minimum_size)
    if input_shape != shape:
        show(f"  resize    samples become {input_shape}, the least that the model takes")
    features = model.features(input_shape)
    if features is None or model.in_size not in (None, prod(features)):
        from ..model import build_model  # which takes a second, and has the sentence for it

        build_model(input_shape, targets.out_size, **asdict(model))
    else:
        show(f"  in_size   {prod(features)} = {' x '.join(map(str, features))}, into the first linear layer")
    show(f"train it: {shlex.join([program, 'train', *flags])}")


def show(line: str) -> None:
    """Print a line; names in files may hold anything."""
    print(printable(line))

"""The model, with the weights that it starts from: random ones, a checkpoint's, or what fits of another run's."""

import math
import warnings
from collections.abc import Iterator, Set
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .checkpoint import load_best
from .config import Settings
from .datasets import Datasets
from .errors import ConfigError, RefusedError, note
from .memory import check_memory
from .model import build_model
from .settings_file import saved_data
from .survey import learned
from .targets import Targets


class Undrawn(TorchFunctionMode):
    """Draws no weights: the meta device has none, and to draw them there imports torch's compiler, for two seconds."""

    def __torch_function__(self, function: Any, types: object, args: Any = (), kwargs: Any = None) -> Any:
        if function.__name__.endswith(("normal_", "uniform_")):
            return (*args, *(kwargs or {}).values())[0]
        return function(*args, **(kwargs or {}))


def build_checked(settings: Settings, shape: tuple[int, ...], out_size: int, batch_size: int) -> nn.Module:
    """Return the model with random weights. Raises DataError, before memory is taken, if it and a batch do not fit."""
    batch = 4 * batch_size * math.prod(shape)
    where, fix = "for the model", "use smaller settings of --model, --data.resize or --batch-size"
    check_memory(4 * batch, where, fix)  # before a model that measures its layers is given a sample
    weights = list(sketch(settings, shape, out_size).parameters())
    if any(isinstance(weight, nn.UninitializedParameter) for weight in weights):
        fix = "give each layer its sizes; build_model knows the shape of a sample"
        raise ConfigError("the model has layers whose sizes are not known before its first batch", "in model.py", fix)
    check_memory(4 * (batch + sum(weight.nbytes for weight in weights)), where, fix)  # with gradients and moments
    return build_model(shape, out_size, **asdict(settings.model))


def sketch(settings: Settings, shape: tuple[int, ...], out_size: int) -> nn.Module:
    """Return the model without memory for its weights; or with it, if it computes with numbers while it is built."""
    try:
        with torch.device("meta"), Undrawn(), warnings.catch_warnings(action="ignore"):  # that it draws none
            return build_model(shape, out_size, **asdict(settings.model))
    except (RuntimeError, TypeError):  # what is wrong with the model itself is raised again
        with torch.random.fork_rng(devices=[]):
            return build_model(shape, out_size, **asdict(settings.model))


def init_from(run: Path, model: nn.Module, settings: Settings, shape: tuple[int, ...], data: Datasets) -> list[str]:
    """Take what fits from another run's best checkpoint; return the names of the weights that start anew.

    Where the targets are others, so are the weights whose shape depends on their number. Raises ConfigError,
    also if it has learned from samples of this file that are in val or test here; notes count those of another file.
    """
    other, anew, targets = load_best(run), set(), data.targets
    own, theirs = settings.data, replace(saved_data(other["settings"]), resident="auto")
    for path in dict.fromkeys([own.path.resolve(), theirs.path.resolve()]):  # it may have been moved here
        here = own if path == own.path.resolve() else None
        for name, count in learned(data.held_out, replace(theirs, path=path), other["data_sha256"], here).items():
            those = f"{count:,} samples of {name}"
            if here:
                fix = "cut the file as its config.yaml says, or save the splits in it: x_train, x_val, x_test"
                raise ConfigError(f"that run has learned from {those}", f"in {run}", fix)
            note(f"the run of --init-from has learned from {those}: scores on them are too good")
    if other["targets"].keys() != vars(targets).keys() or Targets(**other["targets"]).names != targets.names:
        wider = shapes(sketch(settings, shape, targets.out_size + 1).state_dict())
        anew = {name for name, _ in wider.items() - shapes(model.state_dict()).items()}
    return load_what_fits(model, other["model"], but=anew)


def left_out(model: nn.Module) -> Iterator[str]:
    """Yield which attributes of the model are in no checkpoint: plain tensors, and modules in a plain list."""
    for name, module in model.named_modules():
        for key, value in vars(module).items():
            several = value if isinstance(value, list | tuple) else [value]
            computed = any(own.startswith(f"{key}_") for own, _ in module.named_parameters(recurse=False))
            if key[0] != "_" and not computed and any(isinstance(each, Tensor | nn.Module) for each in several):
                yield f"{name}.{key}".strip(".")


def load_weights(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Put saved weights into a model of the same shape. Raises RefusedError if model.py has been changed since."""
    saved, built = shapes(weights), shapes(model.state_dict())
    if saved != built:
        other = [name for name in {**saved, **built} if saved.get(name) != built.get(name)]
        what = f"the model has other weights than when the run began, such as {other[0]}"
        fix = "undo the change, or give a new setting its old value in config.yaml of the run, or start a new run"
        raise RefusedError(what, "in model.py or data.py", fix)
    model.load_state_dict(weights)


def shapes(weights: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight by its name; an extra state of the model (`get_extra_state`) has none."""
    return {name: tuple(getattr(weight, "shape", ())) for name, weight in weights.items()}


def load_what_fits(model: nn.Module, weights: dict[str, Tensor], *, but: Set[str] = frozenset()) -> list[str]:
    """Copy the weights that the model has in the same shape, `but` some; return the names of its others.

    Raises ConfigError if not a single matrix or kernel fits.
    """
    own, theirs = shapes(model.state_dict()), shapes(weights)
    fitting = {name: weights[name] for name in own if name not in but and own[name] == theirs.get(name)}
    if not any(len(own[name]) > 1 for name in fitting):
        fix = "choose a run of this model with the same settings, or leave --init-from out"
        raise ConfigError("no weights of the other run fit this model", "in the run of --init-from", fix)
    model.load_state_dict(fitting, strict=False)
    return [name for name in own if name not in fitting]

"""What all contenders share: the arrays, the network of the rendered experiment, and the line that ends an epoch."""

import argparse
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from my_experiment.config import ModelSettings
from my_experiment.model import build_model
from torch import Tensor, nn
from torch.utils.data import TensorDataset


def arguments() -> argparse.Namespace:
    """Read what to train on, and for how long."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, required=True, help="a folder for logs and checkpoints")
    for field in fields(ModelSettings):
        parser.add_argument(f"--model.{field.name}", type=type(field.default), default=field.default)
    return parser.parse_args()


def load(path: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """Return samples as floats from 0 to 1 and labels of train and val, as tutorials do."""
    with np.load(path) as file:
        return {
            name: (
                torch.from_numpy(file[f"x_{name}"]).float() / 255,
                torch.from_numpy(file[f"y_{name}"]).long(),
            )
            for name in ("train", "val")
        }


def datasets(path: Path) -> tuple[TensorDataset, TensorDataset]:
    """Return train and val, sample by sample."""
    splits = load(path)
    return TensorDataset(*splits["train"]), TensorDataset(*splits["val"])


def network(dataset: TensorDataset, given: argparse.Namespace) -> nn.Module:
    """Return the network of the rendered experiment, with the settings that are given."""
    torch.manual_seed(0)
    x, y = dataset.tensors
    settings = {field.name: vars(given)[f"model.{field.name}"] for field in fields(ModelSettings)}
    return build_model(tuple(x.shape[1:]), int(y.max()) + 1, **settings)


def done(epoch: int) -> None:
    """Say that an epoch has ended, with all that belongs to it; whoever measures reads the clock now."""
    print(f"epoch {epoch}", flush=True)

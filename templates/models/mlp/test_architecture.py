"""The network takes samples of any shape (lessons 7 and 10 of the notes)."""

from dataclasses import asdict, replace

import pytest
import torch

from {{ cookiecutter.__package }}.config import ModelSettings
from {{ cookiecutter.__package }}.errors import ConfigError
from {{ cookiecutter.__package }}.model import build_model

DEFAULTS = ModelSettings()
TAKEN = [(13,), (3, 33), (1, 8, 8), (3, 28, 28), (2, 4, 6, 8)]
REFUSED: list[tuple[int, ...]] = []
TOO_LARGE = ["--model.width=65536", "--model.depth=100"]  # flags, for a test of train
DENSE = False


def build(shape: tuple[int, ...], settings: ModelSettings = DEFAULTS) -> torch.nn.Module:
    return build_model(shape, 7, **asdict(settings))


@pytest.mark.parametrize(("shape", "in_size"), [((13,), 13), ((1, 8, 8), 64), ((3, 9, 13), 351)])
def test_in_size_is_counted(shape: tuple[int, ...], in_size: int) -> None:
    assert build(shape).hidden[0].in_features == in_size


@pytest.mark.parametrize("shape", [(13,), (1, 8, 8), (3, 9, 13)])
def test_inspect_tells_the_in_size_that_is_counted(shape: tuple[int, ...]) -> None:
    in_size = build(shape).hidden[0].in_features
    assert str(DEFAULTS.outline(shape)).startswith(f"in_size {in_size} = ")


def test_the_right_in_size_may_be_given() -> None:
    assert build((1, 8, 8), replace(DEFAULTS, in_size=64)).hidden[0].in_features == 64


def test_a_wrong_in_size_is_refused_with_both_numbers() -> None:
    with pytest.raises(ConfigError) as caught:
        build((1, 8, 8), replace(DEFAULTS, in_size=100))
    assert replace(DEFAULTS, in_size=100).outline((1, 8, 8)) is None  # so that inspect asks for this sentence
    assert str(caught.value) == (
        "--model.in-size is 100 but must be 64; in build_model, where a sample (1, 8, 8) is flattened; "
        "leave it out to have it counted"
    )


def test_settings_change_the_network() -> None:
    assert build((5,), replace(DEFAULTS, width=9)).output.in_features == 9
    assert len(build((5,), replace(DEFAULTS, depth=0)).hidden) == 0
    dropped = build((5,), replace(DEFAULTS, dropout=0.7)).modules()
    assert [module.p for module in dropped if isinstance(module, torch.nn.Dropout)] == [0.7, 0.7]


def test_every_layer_but_the_first_sees_what_relu_leaves() -> None:
    model, lowest = build((5,)), []
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(lambda module, inputs: lowest.append(inputs[0].min()))
    model(torch.randn(4, 5))
    assert len(lowest) == 3 and lowest[0] < 0 and min(lowest[1:]) >= 0

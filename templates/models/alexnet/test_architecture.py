"""The network is that of lesson 10 of the notes."""

from dataclasses import asdict, replace

import pytest
import torch

from {{ cookiecutter.__package }}.config import ModelSettings
from {{ cookiecutter.__package }}.errors import ConfigError
from {{ cookiecutter.__package }}.model import build_model

DEFAULTS = ModelSettings()
TAKEN = [(1, 35, 35), (3, 64, 49)]
REFUSED = [(13,), (2, 64), (1, 34, 64), (1, 40, 40, 40)]
TOO_LARGE = ["--model.hidden-size=65536"]  # flags, for a test of train
DENSE = False


def build(shape: tuple[int, ...], settings: ModelSettings = DEFAULTS) -> torch.nn.Module:
    return build_model(shape, 7, **asdict(settings))


def test_the_layers_are_those_of_the_notes() -> None:
    with torch.device("meta"):
        model = build((3, 224, 224))
    first, _, _, second, *_ = model.convolutions
    assert (first.out_channels, first.kernel_size, first.stride) == (96, (11, 11), (4, 4))
    assert (second.out_channels, second.kernel_size) == (256, (5, 5))
    assert model.linear1[0].out_features == model.linear2[0].out_features == 4096


@pytest.mark.parametrize("shape", [(3, 224, 224), (1, 35, 35), (1, 67, 99), (3, 227, 130)])
def test_in_size_is_measured_and_inspect_tells_it(shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        in_size = build(shape).linear1[0].in_features
    assert str(DEFAULTS.outline(shape)).startswith(f"in_size {in_size} = ")
    assert shape != (3, 224, 224) or in_size == 36_864


def test_a_wrong_in_size_is_refused_with_both_numbers() -> None:
    wrong = replace(DEFAULTS, in_size=100)
    assert wrong.outline((3, 67, 67)) is None
    with pytest.raises(ConfigError) as caught:
        build((3, 67, 67), wrong)
    assert str(caught.value) == (
        "--model.in-size is 100 but must be 2304; in build_model, where a sample (3, 67, 67) becomes (256, 3, 3); "
        "leave it out to have it measured"
    )


def test_every_layer_but_the_first_sees_what_relu_leaves() -> None:
    model, lowest = build((1, 67, 67), replace(DEFAULTS, width=6, hidden_size=16)), []
    for module in model.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_pre_hook(lambda module, inputs: lowest.append(inputs[0].min()))
    model(torch.randn(4, 1, 67, 67))
    assert len(lowest) == 2 + 3 and lowest[0] < 0 and min(lowest[1:]) >= 0


def test_both_wide_layers_have_the_dropout_of_the_settings() -> None:
    model = build((1, 35, 35), replace(DEFAULTS, hidden_size=16, dropout=0.7))
    assert [module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)] == [0.7, 0.7]

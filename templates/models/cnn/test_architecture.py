"""The network takes signals, images and volumes of any size (lessons 7 and 10 of the notes)."""

from dataclasses import asdict, replace

import pytest
import torch

from {{ cookiecutter.__package }}.config import ModelSettings
from {{ cookiecutter.__package }}.errors import ConfigError
from {{ cookiecutter.__package }}.model import build_model

DEFAULTS = ModelSettings()
TAKEN = [(2, 16), (3, 33), (1, 8, 8), (3, 28, 28), (1, 9, 13), (2, 4, 6, 8)]
REFUSED = [(13,), (1, 2, 2, 2, 2)]
TOO_LARGE = ["--model.width=65536", "--model.depth=8"]  # flags, for a test of train
DENSE = False


def build(shape: tuple[int, ...], settings: ModelSettings = DEFAULTS) -> torch.nn.Module:
    return build_model(shape, 7, **asdict(settings))


@pytest.mark.parametrize(
    ("shape", "in_size"), [((1, 8, 8), 256), ((3, 32, 32), 4096), ((1, 9, 13), 384), ((2, 17), 256)]
)
def test_in_size_is_measured(shape: tuple[int, ...], in_size: int) -> None:
    assert build(shape).linear[0].in_features == in_size


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 33, 28), (1, 9, 13), (2, 17), (2, 8, 9, 10)])
def test_inspect_tells_the_in_size_that_is_measured(shape: tuple[int, ...], depth: int) -> None:
    settings = replace(DEFAULTS, depth=depth)
    in_size = build(shape, settings).linear[0].in_features
    assert str(settings.outline(shape)).startswith(f"in_size {in_size} = ")


def test_the_minimum_size_is_just_enough() -> None:
    for depth in (1, 2, 3):
        settings = replace(DEFAULTS, depth=depth)
        assert build((1, settings.minimum_size, settings.minimum_size), settings)
        with pytest.raises(ConfigError, match="are too small to be halved"):
            build((1, settings.minimum_size, settings.minimum_size - 1), settings)


def test_the_right_in_size_may_be_given() -> None:
    assert build((1, 8, 8), replace(DEFAULTS, in_size=256)).linear[0].in_features == 256


def test_a_wrong_in_size_is_refused_with_both_numbers() -> None:
    with pytest.raises(ConfigError) as caught:
        build((1, 8, 8), replace(DEFAULTS, in_size=100))
    assert replace(DEFAULTS, in_size=100).outline((1, 8, 8)) is None  # so that inspect asks for this sentence
    assert str(caught.value) == (
        "--model.in-size is 100 but must be 256; in build_model, where a sample (1, 8, 8) becomes (64, 2, 2); "
        "leave it out to have it measured"
    )


def test_a_sample_that_is_too_small_gets_one_sentence() -> None:
    sentence = r"\(1, 3, 28\) are too small to be halved --model.depth=2 times; .*; a side needs .* 4 positions"
    with pytest.raises(ConfigError, match=sentence):
        build((1, 3, 28))


def test_settings_change_the_network() -> None:
    assert build((1, 8, 8), replace(DEFAULTS, width=8)).stages[0].out_channels == 8
    assert len(build((1, 8, 8), replace(DEFAULTS, depth=3)).stages) == 3 * 7
    assert build((1, 8, 8), replace(DEFAULTS, hidden_size=16)).output.in_features == 16
    dropped = build((1, 8, 8), replace(DEFAULTS, dropout=0.7)).modules()
    assert [module.p for module in dropped if isinstance(module, torch.nn.Dropout)] == [0.7]


def test_every_layer_but_the_first_sees_what_relu_leaves() -> None:
    model, lowest = build((1, 8, 8)), []
    for module in model.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_pre_hook(lambda module, inputs: lowest.append(inputs[0].min()))
    model(torch.randn(4, 1, 8, 8))
    assert len(lowest) == 4 + 2 and lowest[0] < 0 and min(lowest[1:]) >= 0

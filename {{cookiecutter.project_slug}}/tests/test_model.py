"""Whatever the model is: the samples that it takes, of any size, give outputs; others get one sentence."""

from dataclasses import asdict

import pytest
import torch

from {{ cookiecutter.__package }}.config import ModelSettings
from {{ cookiecutter.__package }}.device import prepare
from {{ cookiecutter.__package }}.errors import ConfigError
from {{ cookiecutter.__package }}.model import build_model

from .test_architecture import DENSE, REFUSED, TAKEN

SETTINGS = ModelSettings()


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("shape", TAKEN)
def test_samples_of_any_size_give_outputs(shape: tuple[int, ...], batch: int) -> None:
    """Seven numbers per sample, or at each of its positions (lesson 7 of the notes); a batch of one trains, too."""
    model = prepare(build_model(shape, 7, **asdict(SETTINGS)), torch.device("cpu"))
    output = model(torch.randn(batch, *shape))
    assert output.shape == ((batch, 7, *shape[1:]) if DENSE else (batch, 7))
    output.square().sum().backward()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert trained and all(p.grad is not None and p.grad.isfinite().all() for p in trained)


@pytest.mark.parametrize("shape", REFUSED)
def test_samples_that_it_cannot_take_get_one_sentence(shape: tuple[int, ...]) -> None:
    assert SETTINGS.outline(shape) is None  # so that inspect asks build_model for the sentence
    with pytest.raises(ConfigError, match=r"needs .* of shape .*, not .*; in build_model; .*"):
        build_model(shape, 7, **asdict(SETTINGS))


@pytest.mark.parametrize("sides", [1, 2, 3])
def test_the_minimum_size_is_enough(sides: int) -> None:
    """Also for a batch of one, of which a norm must not be left a single number."""
    shape = (1, *[SETTINGS.minimum_size] * sides)
    if SETTINGS.outline(shape):
        assert build_model(shape, 7, **asdict(SETTINGS))(torch.randn(1, *shape)).isfinite().all()

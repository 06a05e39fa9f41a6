"""The network is that of the paper, for samples of one, two and three sides."""

from dataclasses import asdict, replace

import pytest
import torch

from {{ cookiecutter.__package }}.config import ModelSettings
from {{ cookiecutter.__package }}.errors import ConfigError
from {{ cookiecutter.__package }}.model import build_model

DEFAULTS = ModelSettings()
TAKEN = [(2, 16), (3, 33), (1, 8, 8), (3, 28, 28), (1, 9, 13), (2, 5, 6, 8)]
REFUSED = [(13,), (1, 5, 5, 5, 5)]
TOO_LARGE = ["--model.width=4096", "--model.depth=602"]  # flags, for a test of train
DENSE = False


def build(shape: tuple[int, ...], settings: ModelSettings = DEFAULTS) -> torch.nn.Module:
    return build_model(shape, 7, **asdict(settings))


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("depth", "count"), [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032)])
def test_the_published_networks_have_the_published_number_of_weights(depth: int, count: int) -> None:
    with torch.device("meta"):
        settings = replace(DEFAULTS, stem="large", depth=depth, width=64)
        assert parameters(build_model((3, 224, 224), 1000, **asdict(settings))) == count


def test_a_width_that_damages_the_memory_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--model.width is 6; in the settings; it must be 8 to 4096"):
        replace(DEFAULTS, width=6)


@pytest.mark.parametrize("depth", [8, 20, 56])
def test_the_depth_counts_the_layers_with_weights(depth: int) -> None:
    model = build((1, 8, 8), replace(DEFAULTS, depth=depth))
    kinds = (torch.nn.Conv2d, torch.nn.Linear)
    assert sum(isinstance(m, kinds) for name, m in model.named_modules() if "shortcut" not in name) == depth


@pytest.mark.parametrize(("stem", "depth", "shape"), [("small", 20, (1, 9, 13)), ("large", 18, (3, 65, 40))])
def test_the_outline_is_what_is_measured(stem: str, depth: int, shape: tuple[int, ...]) -> None:
    settings = ModelSettings(stem=stem, depth=depth)  # type: ignore[arg-type]
    model = build(shape, settings)
    features = model.blocks(model.stem(torch.randn(2, *shape)))
    positions = " x ".join(map(str, features.shape[2:]))
    assert str(settings.outline(shape)).startswith(f"{positions} positions in the last stage")
    assert f" {features.shape[1]} channels " in str(settings.outline(shape))


def test_blocks_begin_as_the_identity() -> None:
    block = build((1, 8, 8)).blocks[0]
    x = torch.randn(2, 16, 8, 8).relu()
    assert torch.equal(block(x), x)


def test_every_layer_but_the_first_sees_what_relu_leaves() -> None:
    model, lowest = build((1, 8, 8), replace(DEFAULTS, depth=14)), []
    for module in model.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_pre_hook(lambda module, inputs: lowest.append(inputs[0].min()))
    model(torch.randn(4, 1, 8, 8))
    assert len(lowest) == 14 + 2 and lowest[0] < 0 and min(lowest[1:]) >= 0  # two shortcuts

"""The network gives an output at each position, for samples of one, two and three sides."""

from dataclasses import asdict, replace

import pytest
import torch

from {{ cookiecutter.__package }}.config import ModelSettings
from {{ cookiecutter.__package }}.model import build_model

DEFAULTS = ModelSettings()
TAKEN = [(2, 16), (3, 33), (1, 1, 9), (3, 28, 28), (1, 9, 13), (2, 3, 10, 12)]
REFUSED = [(13,), (1, 9, 9, 9, 9)]
TOO_LARGE = ["--model.width=4096", "--model.depth=8"]  # flags, for a test of train
DENSE = True


def build(shape: tuple[int, ...], settings: ModelSettings = DEFAULTS) -> torch.nn.Module:
    return build_model(shape, 7, **asdict(settings))


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_published_network_has_the_published_widths() -> None:
    with torch.device("meta"):
        model = build((1, 572, 572), ModelSettings(width=64, depth=4))
    assert [level[0].out_channels for level in model.down] == [64, 128, 256, 512, 1024]
    assert [up.in_channels for up in model.up] == [1024, 512, 256, 128]


@pytest.mark.parametrize("depth", [1, 3])
def test_an_output_sees_its_surroundings_and_nothing_far_away(depth: int) -> None:
    torch.manual_seed(0)
    model = build((1, 400), replace(DEFAULTS, depth=depth, width=4)).eval()
    x = torch.randn(1, 1, 400)
    before = model(x)
    x[..., 200] += 10
    changed = (model(x) != before).any(dim=1).flatten().nonzero().flatten()
    # Two 3-wide convolutions on each level, down and up again, where a step is 2 ** level; halving and doubling round.
    reach = sum(4 * 2**level for level in range(depth)) + 2 * 2**depth + 2 * 2**depth
    assert 200 in changed and changed.min() >= 200 - reach and changed.max() <= 200 + reach
    assert changed.min() < 200 - reach / 3 and changed.max() > 200 + reach / 3


@pytest.mark.parametrize(("shape", "lowest"), [((1, 9, 13), "2 x 2"), ((2, 33), "5")])
def test_the_outline_is_what_is_measured(shape: tuple[int, ...], lowest: str) -> None:
    model, seen = build(shape), []
    model.down[-1].register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    model(torch.randn(2, *shape))
    assert " x ".join(map(str, seen[0][2:])) == lowest
    assert f"down to {lowest} positions and {seen[0][1]} channels" in str(DEFAULTS.outline(shape))


@pytest.mark.parametrize("shape", [(2, 9), (1, 9, 13)])
def test_samples_are_continued_at_their_ends(shape: tuple[int, ...]) -> None:
    """So that an output stands where its input does: sides become a multiple of 2 ** depth by repeating their last."""
    model, x = build(shape).eval(), torch.randn(1, *shape)
    continued = x
    for axis in range(2, x.ndim):
        last = continued.narrow(axis, x.shape[axis] - 1, 1)
        continued = torch.cat([continued, *[last] * (16 - x.shape[axis])], dim=axis)
    expected = model(continued)
    for axis in range(2, x.ndim):
        expected = expected.narrow(axis, 0, x.shape[axis])
    assert torch.allclose(model(x), expected, atol=1e-6)


def test_every_level_has_relu_and_dropout() -> None:
    model, lowest = build((1, 16, 16), replace(DEFAULTS, dropout=0.7)), []
    levels = [*model.down, *model.merge]
    for level in levels:
        for layer in (level[3], level[-1]):  # what enters the second convolution, and the dropout
            layer.register_forward_pre_hook(lambda module, inputs: lowest.append(inputs[0].min()))
    model(torch.randn(2, 1, 16, 16))
    assert len(lowest) == 2 * 7 and min(lowest) >= 0
    assert [level[-1].p for level in levels] == [0.7] * 7

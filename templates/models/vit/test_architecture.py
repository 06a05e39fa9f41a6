"""The network is that of the paper, for samples of one, two and three sides."""

from dataclasses import asdict, replace

import pytest
import torch

from {{ cookiecutter.__package }}.config import ModelSettings
from {{ cookiecutter.__package }}.model import build_model

DEFAULTS = ModelSettings()
TAKEN = [(2, 16), (3, 33), (1, 8, 8), (3, 28, 28), (1, 9, 13), (2, 5, 6, 8), (1, 1)]
REFUSED = [(13,), (1, 5, 5, 5, 5)]
TOO_LARGE = ["--model.width=16384", "--model.depth=100"]  # flags, for a test of train
DENSE = False


def build(shape: tuple[int, ...], settings: ModelSettings = DEFAULTS) -> torch.nn.Module:
    return build_model(shape, 7, **asdict(settings))


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_published_network_has_the_published_number_of_weights() -> None:
    base = ModelSettings(patch_size=16, width=768, depth=12, heads=12)
    with torch.device("meta"):
        assert parameters(build_model((3, 224, 224), 1000, **asdict(base))) == 86_567_656


@pytest.mark.parametrize(
    ("shape", "patch_size", "tokens"),
    [((1, 8, 8), 2, 16), ((3, 32, 32), 4, 64), ((3, 28, 30), 4, 56), ((3, 224, 224), 32, 49), ((2, 100), 2, 50)],
)
def test_the_patch_size_suits_the_sample(shape: tuple[int, ...], patch_size: int, tokens: int) -> None:
    model = build(shape)
    assert model.patches.kernel_size == (patch_size,) * (len(shape) - 1)
    assert model.positions.shape == (1, 1 + tokens, DEFAULTS.width)
    assert str(DEFAULTS.outline(shape)).startswith(f"{tokens} = ")
    assert str(DEFAULTS.outline(shape)).endswith(f" patches of side {patch_size}")


def test_every_patch_has_a_say() -> None:
    """The last ones, which are filled up with zeros, too."""
    model = build((1, 9, 13), replace(DEFAULTS, patch_size=4)).eval()
    torch.nn.init.normal_(model.output.weight)
    x = torch.zeros(1, 1, 9, 13)
    before = model(x)
    x[..., 8, 12] = 9
    assert not torch.allclose(model(x), before)


def test_attention_is_that_of_torch_with_as_many_heads() -> None:
    attention = build((1, 8, 8)).blocks[0].attention[0]
    torch.nn.init.normal_(attention.qkv.bias)
    expected = torch.nn.MultiheadAttention(DEFAULTS.width, DEFAULTS.heads, batch_first=True)
    weights = (attention.qkv.weight, attention.qkv.bias, attention.output.weight, attention.output.bias)
    names = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
    expected.load_state_dict(dict(zip(names, weights, strict=True)))
    x = torch.randn(2, 17, DEFAULTS.width)
    assert torch.allclose(attention(x), expected(x, x, x, need_weights=False)[0], atol=1e-5)


def test_the_linear_layers_of_a_block_have_gelu_between_them() -> None:
    block = build((1, 8, 8)).eval().blocks[0]
    first, _, _, second, _ = block.mlp
    x = torch.randn(2, 17, DEFAULTS.width)
    hidden = first(x)
    assert torch.allclose(block.mlp(x), second(hidden * (1 + torch.erf(hidden / 2**0.5)) / 2), atol=1e-5)


def test_the_class_token_gives_the_output() -> None:
    """Without blocks it has seen nothing of the sample, which then makes no difference."""
    model = build_model((1, 8, 8), 7, **asdict(DEFAULTS) | {"depth": 0}).eval()
    torch.nn.init.normal_(model.output.weight)
    assert torch.equal(model(torch.zeros(1, 1, 8, 8)), model(torch.ones(1, 1, 8, 8)))


def test_every_layer_has_the_dropout_of_the_settings() -> None:
    model = build((1, 8, 8), replace(DEFAULTS, depth=2, dropout=0.7))
    assert [module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)] == [0.7] * (1 + 2 * 3)

"""Model and loss see standardised targets; metrics and predictions are in the units of the file."""

from typing import Any

import numpy as np
import pytest
import torch

from {{ cookiecutter.__package }}.config import TaskSettings
from {{ cookiecutter.__package }}.data import ArrayDataset
from {{ cookiecutter.__package }}.figures import draw
from {{ cookiecutter.__package }}.targets import Targets
from {{ cookiecutter.__package }}.task import Task, ssim

CPU = torch.device("cpu")
torch.manual_seed(0)
TARGET = torch.randint(256, (3, 2, 16, 16), dtype=torch.uint8)  # (B, C, H, W)


def task(sides: int = 2, **settings: Any) -> Task:
    return Task(Targets([100.0, 50.0], [10.0, 2.0], 0, 255, sides), TaskSettings(**settings), CPU)


def standardised(target: torch.Tensor) -> torch.Tensor:
    return (target - torch.tensor([100.0, 50.0]).view(2, 1, 1)) / torch.tensor([10.0, 2.0]).view(2, 1, 1)


def test_a_perfect_output_has_no_loss() -> None:
    output = standardised(TARGET.float())
    assert task().loss(output, TARGET) == 0 and task().loss(output + 2, TARGET) == pytest.approx(4)
    assert task(loss="mae").loss(output + 2, TARGET) == pytest.approx(2)


def test_other_shapes_are_refused_in_a_sentence() -> None:
    with pytest.raises(
        ValueError, match=r"takes outputs and targets \(B, 2, \.\.\.\), .* given \(3, 2, 16, 16\) and \(2, 16"
    ):
        task().loss(torch.zeros(3, 2, 16, 16), TARGET[0])


def test_metrics_take_no_output_that_would_be_broadcast() -> None:
    """A model of one's own may have more outputs than channels; who scores them, must say which."""
    with pytest.raises(RuntimeError, match="expects each tensor to be equal size"):
        task().metrics(CPU, 9).update(standardised(TARGET.float()), TARGET[:, :1])


def test_metrics_by_hand_in_batches_of_any_size() -> None:
    """Every value is off by 5, 10 and 20; PSNR is the mean over samples."""
    target = torch.full((3, 2, 16, 16), 100.0)
    output = standardised(target + torch.tensor([5.0, 10.0, 20.0]).view(3, 1, 1, 1))
    metrics = task().metrics(CPU, 9)
    metrics.update(output[:2], target[:2])
    metrics.update(output[2:], target[2:])
    scores = metrics.compute()
    assert scores["mae"] == pytest.approx(35 / 3, rel=1e-5)
    decibels = [10 * torch.log10(torch.tensor(255.0**2 / error**2)).item() for error in (5, 10, 20)]
    assert scores["psnr"] == pytest.approx(sum(decibels) / 3, rel=1e-5)
    assert set(scores) == set(task().maximize) - {"loss"}


def test_more_is_better_of_likeness_and_less_of_errors() -> None:
    assert task().maximize == {"loss": False, "psnr": True, "mae": False, "ssim": True}
    assert task(sides=1).maximize == {"loss": False, "psnr": True, "mae": False}


def test_a_perfect_output_has_100_decibels_and_an_ssim_of_1() -> None:
    metrics = task().metrics(CPU, 9)
    metrics.update(standardised(TARGET.double()).float(), TARGET)
    assert metrics.compute() == pytest.approx({"psnr": 100, "ssim": 1, "mae": 0}, abs=1e-3)


def test_signals_and_volumes_have_no_ssim() -> None:
    for shape in ((2, 2, 9), (2, 2, 4, 5, 6)):
        of_these = task(sides=len(shape) - 2)
        metrics = of_these.metrics(CPU, 9)
        metrics.update(torch.zeros(shape), torch.zeros(shape))
        assert set(metrics.compute()) == set(of_these.maximize) - {"loss"} >= {"psnr", "mae"}
        assert "ssim" not in of_these.maximize


@pytest.mark.parametrize("side", [1, 2, 7, 40])
def test_ssim_takes_images_of_any_size(side: int) -> None:
    x = torch.rand(3, 1, side, side + 1)
    assert torch.allclose(ssim(x, x), torch.ones(3)) and (ssim(x, 1 - x) < 0.99).all()


def test_predictions_are_in_the_units_of_the_file() -> None:
    predicted = task().predict(standardised(TARGET.float()).bfloat16())["prediction"]
    assert predicted.shape == (3, 2, 16, 16) and abs(predicted - TARGET.numpy()).max() < 2


def test_samples_are_drawn_before_and_after_and_beside_their_targets() -> None:
    samples, made = np.random.default_rng(0).random((2, 2, 16, 16)), TARGET[1:].float()
    figure = draw(ArrayDataset(samples, TARGET[:2].numpy()), standardised(made), TARGET[:2], task())["before_and_after"]

    titles = ["before\nchannel 0", "after\nchannel 0", "target\nchannel 0", *["channel 0"] * 3]
    assert [axes.get_title() for axes in figure.axes] == titles
    for n, columns in enumerate((figure.axes[:3], figure.axes[3:])):
        before, after, target = (axes.images[0] for axes in columns)
        for image, expected in ((before, samples[n, 0]), (after, made[n, 0]), (target, TARGET[n, 0])):  # channel 0
            assert np.allclose(np.asarray(image.get_array()), expected, atol=1e-4)
        both = torch.cat([TARGET[:2].float(), made])[:, 0]
        shades = [both.min().item(), both.max().item()]  # the same for all
        assert np.allclose([after.get_clim(), target.get_clim()], [shades, shades], atol=1e-4)


def test_a_wrong_image_is_not_drawn_like_its_constant_target() -> None:
    target = torch.zeros(2, 1, 4, 4)
    wrong = target.clone()
    wrong[0, 0, 1, 1] = 200
    plain = Task(Targets([0.0], [1.0], 0, 255, 2), TaskSettings(), CPU)
    figure = draw(ArrayDataset(target.numpy(), target.numpy()), wrong, target, plain)["before_and_after"]
    after, expected = (axes.images[0] for axes in figure.axes[1:3])
    assert after.norm(after.get_array()).max() == 1  # white
    assert expected.norm(expected.get_array()).max() == 0  # black

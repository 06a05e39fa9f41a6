"""Cross entropy and counts of positions; what is to be ignored counts nowhere."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from {{ cookiecutter.__package }}.config import TaskSettings
from {{ cookiecutter.__package }}.data import ArrayDataset
from {{ cookiecutter.__package }}.figures import draw, show_mask
from {{ cookiecutter.__package }}.plots import drawn, grid, show
from {{ cookiecutter.__package }}.targets import IGNORED, Targets
from {{ cookiecutter.__package }}.task import Task

CPU = torch.device("cpu")
torch.manual_seed(0)
OUTPUT = torch.randn(3, 3, 4, 5)  # (B, K, H, W)
TARGET = torch.randint(3, (3, 4, 5), dtype=torch.int16)  # (B, H, W)


def task(**settings: Any) -> Task:
    return Task(Targets([0, 7, 200], [6, 3, 3], 255, 0), TaskSettings(**settings), CPU)


def test_the_loss_is_the_mean_over_positions() -> None:
    assert torch.allclose(task().loss(OUTPUT, TARGET), functional.cross_entropy(OUTPUT, TARGET.long()))
    assert task().loss(OUTPUT[:1].bfloat16(), TARGET[:1]).dtype == torch.float32


def test_each_sample_weighs_the_same_however_much_of_it_is_ignored() -> None:
    target = TARGET.clone()
    target[0, 1:] = IGNORED
    first = functional.cross_entropy(OUTPUT[:1, :, :1], target[:1, :1].long())
    others = [functional.cross_entropy(OUTPUT[n : n + 1], target[n : n + 1].long()) for n in (1, 2)]
    assert torch.allclose(task().loss(OUTPUT, target), (first + sum(others)) / 3)
    changed = OUTPUT.clone()
    changed[0, :, 1:] = 99 * torch.randn(3, 3, 5)
    assert torch.allclose(task().loss(changed, target), task().loss(OUTPUT, target))


def test_balanced_weights_make_every_class_count_the_same() -> None:
    """By hand: the first class makes up half of the training masks, and each other a quarter."""
    losses = functional.cross_entropy(OUTPUT, TARGET.long(), reduction="none")
    weights = torch.tensor([12 / 18, 12 / 9, 12 / 9])[TARGET.long()]
    assert torch.allclose(task(class_weights="balanced").loss(OUTPUT, TARGET), (losses * weights).mean())


def test_the_legend_has_room_for_long_names() -> None:
    names = [10110 + k for k in range(50)]
    target = torch.arange(50).reshape(1, 5, 10).float()  # as a dataset of one's own may give them
    output = functional.one_hot(target.long(), 50).movedim(-1, 1).float()
    named = Task(Targets(names, [1] * 50, 255, 0), TaskSettings(), CPU)
    figure = draw(ArrayDataset(np.zeros((1, 1, 5, 10)), np.zeros(1)), output, target, named)["masks"]
    drawn(figure)
    legend = figure.legends[0].get_window_extent()
    assert legend.x0 >= 0 and legend.x1 <= figure.bbox.x1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [str(name) for name in names[:40]]


def test_balanced_weights_do_so_however_much_of_a_mask_is_ignored() -> None:
    """The gradient at equal outputs is, for each class, what it counts for."""
    rng = np.random.default_rng(0)
    masks = rng.choice([0, 0, 0, 7, 200], (40, 6, 6))
    masks[:20].reshape(20, -1)[:, 3:] = 255
    balanced = TaskSettings(class_weights="balanced")
    targets = Targets.learn(masks, balanced, "in train")
    y = torch.from_numpy(targets.encode(masks, "in train"))
    output = torch.zeros(40, 3, 6, 6, requires_grad=True)
    Task(targets, balanced, CPU).loss(output, y).backward()
    assert output.grad is not None
    of_class = [output.grad[:, k][y == k].sum().item() for k in range(3)]  # (1 - 1/3) of what each counts for
    assert of_class == pytest.approx([-2 / 9] * 3, rel=1e-4)


def test_swapped_arguments_are_refused_in_a_sentence() -> None:
    with pytest.raises(
        ValueError, match=r"takes outputs \(B, 3, \.\.\.\) .* in this order; it was given \(3, 4, 5\) and"
    ):
        task().loss(TARGET, OUTPUT)
    with pytest.raises(ValueError, match=r"\(B, 3, \.\.\.\) .*; it was given \(3, 4, 4, 5\) and \(3, 4, 5\)"):
        task().loss(OUTPUT[:, [0, 1, 2, 2]], TARGET)


def test_metrics_take_one_output_per_class() -> None:
    """Another one would be counted for the class after its own."""
    with pytest.raises(ValueError, match=r"metrics take outputs \(B, 3, \.\.\.\), and they were given \(3, 4, 4, 5\)"):
        task().metrics(CPU, 9).update(torch.zeros(3, 4, 4, 5), TARGET)


def test_metrics_by_hand_in_batches_of_any_size() -> None:
    output = functional.one_hot(torch.tensor([[0, 0, 1, 1], [1, 1, 2, 2]]), 3).movedim(-1, 1).float()  # (2, 3, 4)
    target = torch.tensor([[0, 1, 1, IGNORED], [1, 1, 0, IGNORED]], dtype=torch.int16)
    metrics = task().metrics(CPU, 9)
    metrics.update(output[:1], target[:1])
    metrics.update(output[1:], target[1:])
    scores = metrics.compute()
    # Class 0: 1 right, 1 wrong, 1 missed; class 7: 3 right, 1 missed; class 200: 1 wrong.
    assert scores["mean_iou"] == pytest.approx((1 / 3 + 3 / 4 + 0) / 3)
    assert scores["mean_dice"] == pytest.approx((2 / 4 + 6 / 7 + 0) / 3)
    assert scores["pixel_accuracy"] == pytest.approx(4 / 6)
    assert set(scores) == set(task().maximize) - {"loss"}
    assert metrics.details() == {"iou/0": pytest.approx(1 / 3), "iou/7": pytest.approx(3 / 4), "iou/200": 0.0}


def test_more_is_better_of_everything_but_the_loss() -> None:
    assert task().maximize == {"loss": False, "mean_iou": True, "mean_dice": True, "pixel_accuracy": True}


def test_classes_that_neither_occur_nor_are_predicted_count_nowhere() -> None:
    metrics = Task(Targets([0, 7, 9, 200], [1, 1, 1, 1], 255, 0), TaskSettings(), CPU).metrics(CPU, 9)
    output = functional.one_hot(torch.tensor([[0, 0, 1, 1]]), 4).movedim(-1, 1).float()  # (1, 4, 4)
    metrics.update(output, torch.tensor([[0, 1, 1, 2]], dtype=torch.int16))
    # Class 0: 1 right, 1 wrong; class 7: 1 right, 1 wrong, 1 missed; class 9: 1 missed; class 200: nothing.
    assert metrics.compute()["mean_iou"] == pytest.approx((1 / 2 + 1 / 3 + 0) / 3)
    assert metrics.compute()["mean_dice"] == pytest.approx((2 / 3 + 2 / 4 + 0) / 3)
    assert metrics.details() == {"iou/0": pytest.approx(1 / 2), "iou/7": pytest.approx(1 / 3), "iou/9": 0.0}


def test_predictions_have_the_original_values() -> None:
    predicted = task().predict(OUTPUT.bfloat16())["prediction"]
    assert predicted.dtype == np.uint8 and predicted.shape == (3, 4, 5)
    assert np.array_equal(predicted, np.array([0, 7, 200])[OUTPUT.bfloat16().argmax(1).numpy()])
    wide = Task(Targets([-1, 5, 70_000], [1, 1, 1], 255, 0), TaskSettings(), CPU)
    assert set(np.unique(wide.predict(OUTPUT)["prediction"])) == {-1, 5, 70_000}


@pytest.mark.parametrize(("values", "kind"), [([0, 255], np.uint8), ([0, 256], np.int64), ([-1, 0], np.int64)])
def test_predictions_are_bytes_if_all_values_fit(values: list[int], kind: type[np.generic]) -> None:
    of_two = Task(Targets(values, [1, 1], 99, 0), TaskSettings(), CPU)
    predicted = of_two.predict(OUTPUT[:, :2])["prediction"]
    assert predicted.dtype == kind and np.unique(predicted).tolist() == values


@pytest.mark.parametrize("sides", [(2, 3), (4, 2, 3)])
def test_samples_are_drawn_alone_and_under_their_own_masks(sides: tuple[int, ...]) -> None:
    count = torch.arange(2 * math.prod(sides)).view(2, *sides)  # no two samples and no two slices are alike
    target, predicted = (count % 7 % 3).short(), count % 5 % 3
    target[:, ..., 0, 1] = IGNORED
    output = functional.one_hot(predicted, 3).movedim(-1, 1).float()
    figure = draw(ArrayDataset(count[:, None].numpy(), target.numpy()), output, target, task())["masks"]

    titles = ["sample", "true", "predicted", "", "", ""]
    assert [axes.get_title().removesuffix("middle slice").rstrip() for axes in figure.axes] == titles
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["7", "200"]  # as the file has them
    middle = (slice(None), 2) if len(sides) == 3 else (slice(None),)  # of a volume, this slice is shown
    for n, columns in enumerate((figure.axes[:3], figure.axes[3:])):
        for axes, mask in zip(columns, (None, target, predicted), strict=True):
            layers: list[np.ndarray] = [np.ma.filled(np.ma.asarray(image.get_array()), 0) for image in axes.images]
            assert np.array_equal(layers[0], count[middle][n]) and len(layers) == (1 if mask is None else 2)
            if mask is not None:
                colours = np.ma.asarray(axes.images[1].get_array())  # one for each class but 0, which is see-through
                assert np.array_equal(colours.mask, mask[middle][n] <= 0)
                assert (colours == mask[middle][n].numpy() - 1).all()


def test_the_lowest_class_has_a_colour_unless_its_value_is_0() -> None:
    dataset, target = ArrayDataset(np.zeros((1, 1, 2, 2)), np.zeros(1)), torch.tensor([[[IGNORED, 0], [1, 1]]])
    for names, see_through, legend in (([0, 7], 2, ["7"]), ([-1, 7], 1, ["-1", "7"])):
        named = Task(Targets(names, [1, 1], 255, 0), TaskSettings(), CPU)
        figure = draw(dataset, functional.one_hot(target.clamp(0), 2).movedim(-1, 1).float(), target, named)["masks"]
        assert np.ma.asarray(figure.axes[1].images[1].get_array()).mask.sum() == see_through
        assert [text.get_text() for text in figure.legends[0].get_texts()] == legend


@pytest.mark.parametrize("shape", [(2, 30), (1, 8, 8), (3, 8, 8), (5, 8, 8), (1, 4, 8, 8), (3, 4, 8, 8)])
def test_a_mask_lies_over_its_sample(shape: tuple[int, ...]) -> None:
    pictures = []
    for value in (None, 0, 1):
        figure, axes = grid(1, 2)
        show(axes[0], torch.arange(math.prod(shape)).view(shape) % 7)
        if value is not None:
            show_mask(axes[0], torch.full(shape[1:], value))
        pictures.append(drawn(figure))
    assert np.array_equal(pictures[0], pictures[1]) or len(shape) == 2  # class 0 is see-through
    assert not np.array_equal(pictures[0], pictures[2])

"""Masks of any whole numbers become class numbers; what is ignored has none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from {{ cookiecutter.__package }} import targets
from {{ cookiecutter.__package }}.array_file import ArrayFile
from {{ cookiecutter.__package }}.arrays import load
from {{ cookiecutter.__package }}.cli import main
from {{ cookiecutter.__package }}.config import TaskSettings
from {{ cookiecutter.__package }}.data_config import DataSettings
from {{ cookiecutter.__package }}.errors import DataError
from {{ cookiecutter.__package }}.targets import IGNORED, Targets, arrange, parts, strata

MASKS = np.array([[[7, 200], [255, 7]], [[7, 7], [7, 7]]])  # (N, H, W)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float32])
@pytest.mark.parametrize("channel", [None, 1, -1])
def test_masks_of_every_kind_become_class_numbers(dtype: type, channel: int | None) -> None:
    masks = MASKS.astype(dtype) if channel is None else np.expand_dims(MASKS.astype(dtype), channel)
    y = arrange(masks, (3, 2, 2), "in y")
    assert np.array_equal(y, MASKS) and strata(y) is None
    learned = Targets.learn(y, TaskSettings(), "in train")
    assert (learned.names, learned.out_size) == ([7, 200], 2)
    assert learned.measure(y) == pytest.approx([5 / 3, 1 / 3])  # 2 of 3 known positions, and 4 of 4
    encoded = learned.encode(y, "in val")
    assert encoded.dtype == np.int8 and encoded[0].tolist() == [[0, 1], [IGNORED, 0]]
    assert learned.describe() == "2 classes at each position: 7, 200; 255 is ignored (12.5%; --task.ignore-index)"


def test_values_may_be_as_far_apart_as_32_bits_allow() -> None:
    masks = np.array([[-(2**31), 0, 256, 2**31 - 1]])
    y = arrange(masks, (3, 4), "in y")
    learned = Targets.learn(y, TaskSettings(), "in train")
    assert learned.names == masks[0].tolist() and learned.encode(y, "in val").tolist() == [[0, 1, 2, 3]]


def test_large_masks_are_read_some_at_a_time_to_the_last() -> None:
    """Of so many positions that two masks, or less than one, fit into a part; broadcast, they take no memory."""
    assert [len(part) for part in parts(np.broadcast_to(np.uint8(0), (5, 2**21)))] == [2, 2, 1]
    assert [len(part) for part in parts(np.broadcast_to(np.uint8(0), (2, 2**23)))] == [1, 1]


def test_all_parts_are_counted_and_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "parts", lambda y: (y[n : n + 1] for n in range(len(y))))
    learned = Targets.learn(MASKS, TaskSettings(class_weights="balanced"), "in train")
    assert (learned.names, learned.ignored) == ([7, 200], 1 / 8)
    assert learned.amounts == pytest.approx([5 / 3, 1 / 3])
    assert learned.encode(MASKS[::-1], "in val").tolist() == [[[0, 0], [0, 0]], [[0, 1], [IGNORED, 0]]]
    with pytest.raises(DataError, match="the masks hold 9, which"):
        learned.encode(np.array([7, 7, 9]), "in val")


def test_another_value_may_be_ignored_or_none() -> None:
    assert Targets.learn(MASKS, TaskSettings(ignore_index=7), "in train").names == [200, 255]
    assert Targets.learn(MASKS, TaskSettings(ignore_index=-1), "in train").names == [7, 200, 255]


@pytest.mark.parametrize(
    ("masks", "sentence"),
    [
        (np.zeros((2, 2, 3)), r"the masks have shape \(2, 3\), and the samples \(3, 2, 2\); in y; give each sample"),
        (np.zeros(2), r"the masks have shape \(\), and the samples"),
        (np.full((2, 2, 2), 0.5), "the masks, of type float64, do not hold class numbers; in y; number the classes"),
        (np.full((2, 2, 2), "a"), "the masks, of type <U1, do not hold class numbers"),
        (np.full((2, 2, 2), 2**31), "the masks, of type int64, do not hold class numbers"),
        (np.full((2, 2, 2), -(2**31) - 1), "the masks, of type int64, do not hold class numbers"),
        (np.full((2, 2, 2), -(2**40)), "the masks, of type int64, do not hold class numbers"),
    ],
)
def test_masks_that_are_none_get_one_sentence(masks: np.ndarray, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        arrange(masks, (3, 2, 2), "in y")


@pytest.mark.parametrize(
    ("masks", "sentence"),
    [
        (np.array([[0, 255]]), "all masks are 0 or 255; in train; .* 255 is ignored: if it is a class, say"),
        (np.array([[255]]), "all masks are 255; in train"),
        (np.array([[3]]), "all masks are 3; in train; give masks of two values or more$"),
        (np.arange(2000)[None], "the masks have 1999 values, which are too many for classes; in train"),
    ],
)
def test_too_few_and_too_many_classes_are_refused(masks: np.ndarray, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        Targets.learn(masks, TaskSettings(), "in train")


def test_a_class_that_was_not_trained_is_refused() -> None:
    sentence = r"the masks hold 2, 3, 4, \.\.\., which the 2 classes of the training split do not have; in val; "
    sentence += r"number them as it does \(0, 1\), or give it some of each \(another --data.split-seed may"
    with pytest.raises(DataError, match=sentence):
        Targets([0, 1], [5, 5], 255, 0).encode(np.arange(8), "in val")


def test_masks_of_which_nothing_is_known_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would lower the loss, which is the mean over samples."""
    monkeypatch.setattr(targets, "parts", lambda y: (y[n : n + 2] for n in range(0, len(y), 2)))
    masks = np.full((5, 3, 3), 255)
    masks[[0, 3], 1, 1] = 1
    with pytest.raises(DataError, match="3 of the 5 masks are 255 everywhere, which is ignored; in val; leave such"):
        Targets([0, 1], [5, 5], 255, 0).encode(masks, "in val")
    masks[:, 0, 0] = 0
    assert (Targets([0, 1], [5, 5], 255, 0).encode(masks, "in val")[:, 0, 0] == 0).all()


def test_a_value_that_only_other_splits_ignore_is_doubted(capsys: pytest.CaptureFixture[str]) -> None:
    """Masks of 0 and 1 to train on, and of 0 and 255 to score: all of their foreground would count nowhere."""
    Targets([0, 1], [5, 5], 255, 0.1).encode(np.array([[0, 255]]), "in test")
    assert capsys.readouterr().err == ""
    Targets([0, 1], [5, 5], 255, 0).encode(np.array([[0, 255]]), "in test")
    sentence = "note: in test, 255 makes up 50.0% of the masks, and is ignored: if it is a class, number it as"
    assert capsys.readouterr().err.startswith(sentence)


def test_what_may_be_no_classes_is_said() -> None:
    line = Targets.learn(np.arange(-1, 65)[None], TaskSettings(), "in train").describe()
    assert line.startswith("66 classes at each position: -1, 0, 1, ") and line.isprintable()
    assert "...; if -1 is no class, say --task.ignore-index -1; if these are shades of fewer, by JPEG or by " in line


def test_masks_like_samples_without_channels_get_their_sentence() -> None:
    for shape in ((4, 40, 44), (200,)):
        with pytest.raises(DataError, match=r"one-hot: y.argmax .* no channels .*, say --data.channels none"):
            arrange(np.zeros((2, *shape), int), shape, "in y")


def test_colours_are_no_classes() -> None:
    for channels in (1, 3):
        with pytest.raises(DataError, match=rf"the samples \({channels}, 4, 5\); .*; colours: as numbers"):
            arrange(np.zeros((2, 3, 4, 5), int), (channels, 4, 5), "in y")


def test_the_balance_shows_the_share_of_every_class() -> None:
    lines = Targets([7, 200], [5 / 3, 1 / 3], 255, 1 / 8).balance({"train": MASKS, "val": MASKS[1:]})
    assert [line.split() for line in lines] == [
        ["class", "train", "val"], ["7", "75%", "100%"], ["200", "12.5%", "0%"], ["ignored", "12.5%", "0%"],
    ]  # fmt: skip


def test_photos_and_masks_become_pairs_as_the_readme_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    numbers = np.random.default_rng(0).integers(0, 200, (2, 5, 6, 7), np.uint8)
    for folder, pictures in zip(("photos", "masks"), numbers, strict=True):
        Path(folder).mkdir()
        for k, picture in enumerate(pictures):
            Image.fromarray(picture).save(f"{folder}/{k}.png")
    assert main(["import-images", "photos", "a.npz"]) == main(["import-images", "masks", "b.npz"]) == 0
    np.savez("mine.npz", x=np.load("a.npz")["x"], y=np.load("b.npz")["x"])
    pairs = load(ArrayFile(Path("mine.npz")), DataSettings(path=Path("mine.npz")))
    assert np.array_equal(pairs.x[:, 0], numbers[0]) and np.array_equal(pairs.y.reshape(5, 6, 7), numbers[1])

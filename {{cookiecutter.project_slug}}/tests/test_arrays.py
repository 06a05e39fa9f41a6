"""Files become checked arrays and fair splits, or one sentence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from {{ cookiecutter.__package }}.array_file import ArrayFile
from {{ cookiecutter.__package }}.arrays import channels_first, input_shape, load, load_samples, load_splits
from {{ cookiecutter.__package }}.checks import check, check_precision
from {{ cookiecutter.__package }}.data_config import DataSettings
from {{ cookiecutter.__package }}.errors import ConfigError, DataError
from {{ cookiecutter.__package }}.splits import Split, cut
from {{ cookiecutter.__package }}.targets import strata
from {{ cookiecutter.__package }}.tensors import to_tensor

from .example import targets

SHAPE = (1, 8, 8)
X, Y = np.zeros((9, *SHAPE)), targets(9, SHAPE)


def read(settings: DataSettings) -> dict[str, Split]:
    return load_splits(ArrayFile(settings.path), settings)


def save(tmp_path: Path, **arrays: np.ndarray) -> DataSettings:
    np.savez(tmp_path / "data.npz", **arrays)
    return DataSettings(path=tmp_path / "data.npz")


def test_splits_share_no_sample(small: Path) -> None:
    splits = read(DataSettings(path=small))
    assert {name: len(split) for name, split in splits.items()} == {"train": 126, "val": 27, "test": 27}
    rows = [row.tobytes() for split in splits.values() for row in split.x]
    assert len(set(rows)) == 180


def test_given_splits_are_kept_and_a_missing_val_is_cut_from_train(tmp_path: Path) -> None:
    x, y = np.arange(6400.0).reshape(100, *SHAPE), targets(100, SHAPE)
    settings = save(tmp_path, x_train=x[:80], y_train=y[:80], x_test=x[80:], y_test=y[80:])
    splits = read(settings)
    assert {name: len(split) for name, split in splits.items()} == {"train": 68, "val": 12, "test": 20}
    assert np.array_equal(splits["test"].x, x[80:])


def test_a_val_that_is_cut_from_a_given_train_keeps_groups_together_and_classes_in_shares(tmp_path: Path) -> None:
    x, y, groups = np.arange(6400.0).reshape(100, *SHAPE), targets(100, SHAPE), np.arange(100) // 4
    given = {"x_train": x[:80], "y_train": y[:80], "x_test": x[80:], "y_test": y[80:]}
    splits = read(save(tmp_path, **given, groups_train=groups[:80], groups_test=groups[80:]))
    assert not set(splits["train"].groups) & set(splits["val"].groups)  # type: ignore[arg-type]
    settings = save(tmp_path, **given)
    train = load(ArrayFile(settings.path), settings, "_train")
    expected = cut(train, ["train", "val"], settings, strata(train.y))
    assert np.array_equal(read(settings)["val"].x, expected["val"].x)


def test_given_samples_that_floats_cannot_tell_apart_are_refused(tmp_path: Path) -> None:
    x, y = 1e9 + np.random.default_rng(0).random((10, *SHAPE)), targets(10, SHAPE)
    with pytest.raises(DataError, match=r"channel 0 lies within .* of 100000000\d.*; in 'x_train' of "):
        read(save(tmp_path, x_train=x, y_train=y, x_test=x, y_test=y))


def test_without_a_test_split_there_is_none(tmp_path: Path) -> None:
    x, y = np.zeros((10, *SHAPE)), targets(10, SHAPE)
    settings = save(tmp_path, x_train=x, y_train=y, x_val=x, y_val=y)
    assert set(read(settings)) == {"train", "val"}


def test_a_folder_of_npy_files_is_the_same(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((10, *SHAPE)))
    np.save(tmp_path / "y.npy", targets(10, SHAPE))
    assert len(read(DataSettings(path=tmp_path))["train"]) == 6


def test_other_names_are_found_in_all_splits(tmp_path: Path) -> None:
    x, y = np.zeros((10, *SHAPE)), targets(10, SHAPE)
    settings = save(tmp_path, features_train=x, labels_train=y, features_test=x, labels_test=y)
    splits = read(replace(settings, x="features", y="labels"))
    assert {name: len(split) for name, split in splits.items()} == {"train": 8, "test": 10, "val": 2}


def test_groups_are_taken_by_their_name_and_may_be_ignored(tmp_path: Path) -> None:
    x, y, groups = np.zeros((40, *SHAPE)), targets(40, SHAPE), np.arange(40) // 4
    settings = save(tmp_path, x=x, y=y, groups=groups)
    assert all(not set(read(settings)[a].groups) & set(read(settings)["train"].groups) for a in ("val", "test"))  # type: ignore[arg-type]
    assert read(replace(settings, groups=""))["train"].groups is None
    with pytest.raises(DataError, match="there is no array 'patient'"):
        read(replace(settings, groups="patient"))
    with pytest.raises(DataError, match=r"the groups have shape \(39,\), and there are 40 samples"):
        read(save(tmp_path, x=x, y=y, groups=groups[:39]))
    assert read(save(tmp_path, x=x, y=y, groups=groups[:, None]))["train"].groups.ndim == 1  # type: ignore[union-attr]


def test_a_folder_without_arrays_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"there is no array 'x'; .*, which has no arrays; name an .npz file, or a folder"
    ):
        read(DataSettings(path=tmp_path))


def test_samples_may_come_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "new.npy", np.zeros((3, 8, 8)))
    settings = DataSettings(path=tmp_path / "new.npy", channels="none")
    assert load_samples(ArrayFile(settings.path), settings).shape == (3, 1, 8, 8)
    with pytest.raises(
        DataError, match=r"there is no array 'y'; .*new.npy, which has new; put x.npy and y.npy into a fol"
    ):
        read(settings)


@pytest.mark.parametrize(
    ("shape", "channels", "expected"),
    [
        ((5, 3, 8, 8), "auto", (5, 3, 8, 8)),
        ((5, 8, 8, 3), "auto", (5, 3, 8, 8)),
        ((5, 1, 100), "auto", (5, 1, 100)),
        ((5, 8, 8), "none", (5, 1, 8, 8)),
        ((5, 8, 8), "last", (5, 8, 8)),
        ((5, 64, 8, 8), "first", (5, 64, 8, 8)),
        ((5, 7), "auto", (5, 7)),
        ((5,), "auto", (5, 1)),
    ],
)
def test_channels_come_first(shape: tuple[int, ...], channels: str, expected: tuple[int, ...]) -> None:
    assert channels_first(np.zeros(shape), channels, "in x").shape == expected


def test_channels_that_come_first_leave_the_other_axes_in_their_order() -> None:
    x = np.arange(24).reshape(1, 2, 4, 3)
    assert channels_first(x, "last", "in x")[0, 2].tolist() == [[2, 5, 8, 11], [14, 17, 20, 23]]


@pytest.mark.parametrize("shape", [(5, 28, 28), (5, 3, 8, 3), (5, 16, 16, 16)])
def test_an_unclear_channel_axis_is_asked_about(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"unclear which axis .* --data.channels first, last, or none"):
        channels_first(np.zeros(shape), "auto", "in x")


def test_both_byte_orders_are_read_alike() -> None:
    for dtype in ("i4", "u2", "f4", "f8"):
        one, other = (to_tensor(check(np.arange(6, dtype=order + dtype), "in x")) for order in "<>")
        assert torch.equal(one, other) and one.dtype == other.dtype
    assert check(np.array(["a", "b"], ">U1"), "in y").tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"a": np.zeros(3)}, r"there is no array 'x'; in .* which has a; choose its name with --data.x$"),
        ({f"case{k}": X for k in range(60)}, r"'x'; .*, case26, 40 more; choose .*, or stack arrays of single samples"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(4)}, r"3 samples but 4 targets"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, r"there are no samples"),
        ({"x": np.array(1.0), "y": np.zeros(1)}, r"there are no samples"),
        ({"x": np.zeros((3, 2), complex), "y": np.zeros(3)}, r"its type is complex128"),
        ({"x": np.zeros((3, 0)), "y": np.zeros(3)}, r"there are no samples: the shape is \(3, 0\)"),
        ({"x": np.array([[0, 1], [2, np.nan]]), "y": np.zeros(2)}, r"nan at index \[1, 1\]"),
        ({"x": np.array([[0, 1e300]]), "y": np.zeros(1)}, r"1e\+300 at index \[0, 1\]; .*not finite or beyond 1e\+30"),
        (
            {"x_test": np.zeros((3, 2)), "y_test": np.zeros(3)},
            r"there is no array 'x_train'; .*; add it, since every split needs one, or leave out the split, or say",
        ),
        (
            {"x_train": np.zeros((9, 2)), "y_train": np.zeros(9), "groups": np.zeros(9), "x_val": np.zeros((9, 2))},
            r"the split of groups is unclear beside arrays of val; .*; name them groups_train \(in flags, without",
        ),
        ({"x_train": X, "y_train": Y, "y_val": Y}, r"there is no array 'x_val'"),
        (
            {"x_train": X, "y_train": Y, "x_val": X[:, :, :2], "y_val": targets(9, (1, 2, 8))},
            r"the samples differ in shape: .'train': \(1, 8, 8\), 'val': \(1, 2, 8\).",
        ),
        ({"x": np.array([["a"]]), "y": np.zeros(1)}, r"the values are strings"),
        ({"x": np.frombuffer(b"\0\2", bool)[:, None], "y": np.zeros(2)}, "bytes that are neither true nor false"),
        ({"x": np.zeros((9, 1)), "y": np.array(["\ud800"] * 9)}, r"it holds characters that do not exist; in 'y' of"),
        ({"x": np.array([[3.3e38]], np.float32), "y": np.zeros(1)}, r"3.2\S*e\+38 at index \[0, 0\]"),
        ({"x": X[:2], "y": Y[:2]}, r"2 samples are too few to cut val and test from"),
        ({"x": np.array([{}]), "y": Y}, r"it holds Python objects, .*; save y.astype"),
        ({"x": np.zeros((2, 2), "V4,f4"), "y": np.arange(2)}, r"its type is \[\('f0', 'V4'\)"),
        ({"x": np.zeros(2, ",".join(600 * ["f4"])), "y": np.arange(2)}, r"its type is \[\('f0', '<f4'\).{46}; in 'x'"),
        ({"x": np.zeros((2, 2), "M8[s]"), "y": np.arange(2)}, r"its type is datetime64\[s\]"),
        (
            {"x": np.zeros((9, 2)), "y": np.zeros(9), "x_test": np.zeros((9, 2)), "y_test": np.zeros(9)},
            r"the split of x and y is unclear beside arrays of test; in .*; name them x_train, y_train \(in f",
        ),
        (
            {"x": np.array([[[1] * 9, [1.7e9] * 9], [[2] * 9, [1.7e9 + 3] * 9]] * 5), "y": targets(10, (2, 9))},
            r"channel 1 lies within 1.5 of 1700000001.5; in 'x' of .*; subtract its mean",
        ),
    ],
)
def test_what_cannot_be_used_gets_one_sentence(tmp_path: Path, arrays: dict[str, np.ndarray], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read(save(tmp_path, **arrays))


def test_a_large_constant_is_no_reason_to_refuse() -> None:
    """Nor is one that 32-bit floats hold exactly, nor a single value far away from the others."""
    for column in ([1.7e9] * 4, [1.7e9, 0, 0, 0], np.array([1000, 1001, 1000, 1000], np.uint16)):
        check_precision(np.array([column]).T, "in x")


def test_long_integers_that_even_64_bit_floats_cannot_tell_apart_are_refused() -> None:
    """Not taken for a constant, of which nothing would be learned."""
    with pytest.raises(DataError, match=r"feature 0 lies within 0 of 2\.305843\S*e\+18; in x; subtract its mean"):
        check_precision(np.arange(2**61, 2**61 + 9)[:, None], "in x")


def test_seconds_since_1970_are_refused() -> None:
    """32-bit floats would round them to the same number."""
    for dtype in (np.int32, np.uint32, np.int64, np.float64, np.longdouble):
        with pytest.raises(DataError, match="feature 0 lies within"):
            check_precision(np.array([[1_700_000_000], [1_700_000_003]], dtype), "in x")


@pytest.mark.parametrize(
    ("shape", "resize", "expected"),
    [
        ((3, 2, 9), "none", (3, 4, 9)),
        ((1, 8, 8), "none", (1, 8, 8)),
        ((13,), "none", (13,)),
        ((3, 2, 9), "16", (3, 16, 16)),
        ((3, 2, 9), "16x5", (3, 16, 5)),
        ((3, 2, 2, 2), "4", (3, 4, 4, 4)),
    ],
)
def test_samples_get_the_sides_that_are_wished_and_that_the_model_needs(
    shape: tuple[int, ...], resize: str, expected: tuple[int, ...]
) -> None:
    assert input_shape(shape, resize, 4) == expected


def test_smaller_sides_than_the_model_takes_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"--data.resize is 16x3, and the model needs sides of 4 or more; "):
        input_shape((1, 8, 8), "16x3", 4)


@pytest.mark.parametrize(
    ("shape", "resize"), [((13,), "4"), ((1, 8, 8), "8x8x8"), ((1, 8), "8x8"), ((1, 2, 2, 2, 2), "8")]
)
def test_sides_that_samples_do_not_have_cannot_be_resized(shape: tuple[int, ...], resize: str) -> None:
    with pytest.raises(ConfigError, match=f"--data.resize is {resize}, and samples of shape .* have . sides; "):
        input_shape(shape, resize, 1)

"""Files become checked arrays and fair splits, or one sentence."""

from pathlib import Path

import numpy as np
import pytest

from {{ cookiecutter.__package }}.arrays import channels_first, check, load_splits, read_arrays, sha256
from {{ cookiecutter.__package }}.config import DataSettings
from {{ cookiecutter.__package }}.errors import DataError


def by_label(y: np.ndarray) -> np.ndarray:
    return y


def save(tmp_path: Path, **arrays: np.ndarray) -> DataSettings:
    np.savez(tmp_path / "data.npz", **arrays)
    return DataSettings(path=tmp_path / "data.npz")


def test_splits_share_every_class_and_no_sample(digits: Path) -> None:
    splits = load_splits(DataSettings(path=digits), by_label)
    assert {name: len(split) for name, split in splits.items()} == {"train": 126, "val": 27, "test": 27}
    for split in splits.values():
        shares = np.bincount(split.y, minlength=10) / len(split)
        assert shares.min() > 0.03 and shares.max() < 0.2
    rows = [row.tobytes() for split in splits.values() for row in split.x]
    assert len(set(rows)) == 180


def test_the_split_seed_alone_decides_the_split(digits: Path) -> None:
    first, again, other = (
        load_splits(DataSettings(path=digits, split_seed=seed), by_label)["test"].x for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_given_splits_are_kept_and_a_missing_val_is_cut_from_train(tmp_path: Path) -> None:
    x, y = np.arange(200.0).reshape(100, 2), np.arange(100) % 2
    settings = save(tmp_path, x_train=x[:80], y_train=y[:80], x_test=x[80:], y_test=y[80:])
    splits = load_splits(settings, by_label)
    assert {name: len(split) for name, split in splits.items()} == {"train": 68, "val": 12, "test": 20}
    assert np.array_equal(splits["test"].x, x[80:])


def test_without_a_test_split_there_is_none(tmp_path: Path) -> None:
    x, y = np.zeros((10, 2)), np.arange(10) % 2
    settings = save(tmp_path, x_train=x, y_train=y, x_val=x, y_val=y)
    assert set(load_splits(settings, by_label)) == {"train", "val"}


def test_a_folder_of_npy_files_is_memory_mapped(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((10, 2)))
    np.save(tmp_path / "y.npy", np.arange(10) % 2)
    assert isinstance(read_arrays(tmp_path)["x"], np.memmap)
    assert len(load_splits(DataSettings(path=tmp_path), by_label)["train"]) == 6


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


@pytest.mark.parametrize("shape", [(5, 28, 28), (5, 3, 8, 3), (5, 16, 16, 16)])
def test_an_unclear_channel_axis_is_asked_about(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"unclear which axis .* --data.channels first, last, or none"):
        channels_first(np.zeros(shape), "auto", "in x")


def test_both_byte_orders_are_read_alike() -> None:
    little = np.arange(6, dtype="<i4")
    big = little.astype(">i4")
    assert check(big, "in x").dtype == check(little, "in x").dtype == np.dtype("=i4")
    assert np.array_equal(check(big, "in x"), little)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"a": np.zeros(3)}, r"there is no array 'x'; in .* which has a; name the arrays with --data.x"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(4)}, r"3 samples but 4 targets"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, r"there are no samples"),
        ({"x": np.array(1.0), "y": np.zeros(1)}, r"there are no samples"),
        ({"x": np.zeros((3, 2), complex), "y": np.zeros(3)}, r"its type is complex128"),
        ({"x": np.zeros((3, 0)), "y": np.zeros(3)}, r"there are no samples: the shape is \(3, 0\)"),
        ({"x": np.array([[0, 1], [2, np.nan]]), "y": np.zeros(2)}, r"nan at index \[1, 1\]"),
        ({"x": np.array([[0, 1e300]]), "y": np.zeros(1)}, r"1e\+300 at index \[0, 1\]; .*32-bit float"),
        ({"x_test": np.zeros((3, 2)), "x": np.zeros((3, 2)), "y": np.zeros(3)}, r"there is no array 'x_train'"),
        ({"x_train": np.zeros((3, 2)), "y_train": np.zeros(3), "y_val": np.zeros(3)}, r"there is no array 'x_val'"),
        (
            {"x_train": np.zeros((3, 2)), "y_train": np.zeros(3), "x_val": np.zeros((3, 4)), "y_val": np.zeros(3)},
            r"the samples differ in shape: .'train': \(2,\), 'val': \(4,\).",
        ),
        ({"x": np.array([["a"]]), "y": np.zeros(1)}, r"the samples are strings"),
        ({"x": np.zeros((2, 2)), "y": np.arange(2)}, r"2 samples are too few to cut val and test from"),
        ({"x": np.array([{}]), "y": np.zeros(1)}, r"cannot read the arrays .*save it again with np.savez"),
    ],
)
def test_what_cannot_be_used_gets_one_sentence(tmp_path: Path, arrays: dict[str, np.ndarray], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        load_splits(save(tmp_path, **arrays), by_label)


@pytest.mark.parametrize("content", [b"", b"x,y", b"PK\x03\x04" + b"0" * 100, b"\x93NUMPY\x01\x00v\x00{"])
def test_a_file_that_is_none_gets_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read the arrays \(.*\); .*data.npz; save it again with np.savez"):
        read_arrays(tmp_path / "data.npz")


def test_every_bit_of_a_compressed_file_counts(tmp_path: Path, digits: Path) -> None:
    with np.load(digits) as arrays:
        np.savez_compressed(tmp_path / "data.npz", x=arrays["x"])
    whole = (tmp_path / "data.npz").read_bytes()
    for position in range(60, len(whole) - 60, len(whole) // 20):
        (tmp_path / "data.npz").write_bytes(whole[:position] + bytes([whole[position] ^ 8]) + whole[position + 1 :])
        with pytest.raises(DataError, match="cannot read the arrays"):
            read_arrays(tmp_path / "data.npz")


def test_a_single_array_is_asked_for_its_companion(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(DataError, match=r"it is a single array; .*x.npy; put x.npy and y.npy into a folder"):
        read_arrays(tmp_path / "x.npy")


def test_the_digest_follows_every_byte(tmp_path: Path, digits: Path) -> None:
    before = sha256(digits)
    digits.write_bytes(digits.read_bytes()[:-1] + b"x")
    assert len(before) == 64 and sha256(digits) != before

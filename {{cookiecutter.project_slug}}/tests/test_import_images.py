"""A folder of pictures per class becomes one file of arrays (lesson 9 of the notes)."""

import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from {{ cookiecutter.__package }}.cli import main
from {{ cookiecutter.__package }}.errors import ConfigError
from {{ cookiecutter.__package }}.storage import new_file


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


# A PNG of one pixel, whose three colours have 16 bits each: Pillow reads such files, and writes none.
DEEP = (
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"\0" + struct.pack(">HHH", 300, 301, 302)))
    + chunk(b"IEND", b"")
)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes with three grey pictures each, 5 high and 4 wide."""
    for name in ("猫", "dog"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for k in range(3):
            array = np.full((5, 4), 10 * k + (name == "dog"), np.uint8)
            Image.fromarray(array).save(tmp_path / "in" / name / f"{k}.png")
    return tmp_path / "in"


def test_pictures_become_arrays_with_the_names_of_their_folders(pictures: Path, tmp_path: Path, capsys) -> None:
    for name in ("dog/Thumbs.db", "dog/._0.png", ".hidden/1.png", "direct.png", "dog/deeper/2.png"):
        (pictures / name).parent.mkdir(exist_ok=True)
        (pictures / name).write_bytes(b"no picture")
    out = tmp_path / "out.npz"
    assert main(["import-images", str(pictures), str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed == f"6 pictures of 2 classes, (1, 5, 4), are in {out}; other files, left out: 5\n"
    with np.load(out) as arrays:
        assert arrays["x"].shape == (6, 1, 5, 4) and arrays["x"].dtype == np.uint8
        assert arrays["y"].tolist() == ["dog"] * 3 + ["猫"] * 3
        assert arrays["x"][:, 0, 0, 0].tolist() == [1, 11, 21, 0, 10, 20]
        assert arrays["files"].tolist() == [f"{name}/{k}.png" for name in ("dog", "猫") for k in range(3)]


def test_a_class_without_pictures_is_not_lost(pictures: Path, tmp_path: Path, capsys) -> None:
    (pictures / "emu/part 1").mkdir(parents=True)
    (pictures / "dog/0.png").rename(pictures / "emu/part 1/0.png")
    assert main(["import-images", str(pictures), str(tmp_path / "out.npz")]) == 2
    assert f"the folder of a class has no pictures; in {pictures / 'emu'}; put its" in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def test_pictures_of_no_class_keep_their_names(pictures: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(pictures / "dog")
    (pictures / "dog" / "empty").mkdir()
    (pictures / "dog" / "list.txt").write_text("no picture")
    out = Path("new.npz")  # which is no picture, either, and not counted
    assert main(["import-images", ".", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed == f"3 pictures without classes, (1, 5, 4), are in {out}; other files, left out: 1\n"
    with np.load(out) as arrays:
        assert arrays["files"].tolist() == ["0.png", "1.png", "2.png"] and "y" not in arrays
        assert arrays["x"][:, 0, 0, 0].tolist() == [1, 11, 21]


@pytest.mark.skipif(os.name != "posix", reason="links need a permission elsewhere")
def test_the_folder_of_a_class_may_be_a_link(pictures: Path, tmp_path: Path, capsys) -> None:
    (pictures / "dog").rename(tmp_path / "dogs")
    (pictures / "dog").symlink_to(tmp_path / "dogs")
    assert main(["import-images", str(pictures), str(tmp_path / "out.npz")]) == 0
    assert capsys.readouterr().out.startswith("6 pictures of 2 classes, (1, 5, 4), are in ")


def test_a_file_appears_once_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    with new_file(out) as file:
        file.write(b"all of it")
        assert not out.exists()
    assert out.read_bytes() == b"all of it" and list(tmp_path.iterdir()) == [out]
    with pytest.raises(ConfigError, match="there is such a file already"), new_file(out) as file:
        file.write(b"of somebody else")
    assert out.read_bytes() == b"all of it" and list(tmp_path.iterdir()) == [out]


def test_grey_among_colours_becomes_three_channels(pictures: Path, tmp_path: Path) -> None:
    Image.new("RGB", (4, 5), (255, 0, 7)).save(pictures / "dog" / "colour.jpeg", quality=100)
    Image.new("P", (4, 5)).save(pictures / "dog" / "palette.gif")
    assert main(["import-images", str(pictures), str(tmp_path / "out.npz")]) == 0
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["x"].shape == (8, 3, 5, 4) and arrays["x"][1, :, 2, 2].tolist() == [11, 11, 11]
        assert abs(arrays["x"][3, :, 2, 2].astype(int) - [255, 0, 7]).max() < 4


def test_what_nobody_can_act_on_is_not_said(pictures: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """Pillow warns of a palette with transparency, as programs write it that make pictures small."""
    Image.new("P", (4, 5)).save(pictures / "dog" / "3.png", transparency=b"\x00\x7f")
    assert main(["import-images", str(pictures), str(tmp_path / "out.npz")]) == 0
    assert not [str(warning.message) for warning in recwarn]


@pytest.mark.parametrize("ending", ["png", "tif"])  # Pillow 13.0 mixes up the rows of such a TIFF, if told its name
def test_a_picture_is_turned_as_its_camera_says(tmp_path: Path, ending: str) -> None:
    (tmp_path / "in" / "a").mkdir(parents=True)
    exif, pixels = Image.Exif(), np.arange(20, dtype=np.uint8).reshape(5, 4)
    exif[0x0112] = 6  # lies on its side
    Image.fromarray(pixels).save(tmp_path / f"in/a/x.{ending}", exif=exif)
    assert main(["import-images", str(tmp_path / "in"), str(tmp_path / "out.npz")]) == 0
    assert np.array_equal(np.load(tmp_path / "out.npz")["x"][0, 0], np.rot90(pixels, -1))


def test_other_tags_of_a_camera_do_not_matter(tmp_path: Path) -> None:
    """Some write numbers as text, at which Pillow fails as it writes them again."""
    (tmp_path / "in/cat").mkdir(parents=True)
    picture = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    tags = (274, 3, 1, struct.pack("<HH", 6, 0)), (282, 2, 3, b"72")  # a quarter turn; the resolution
    exif = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + b"".join(struct.pack("<HHI4s", *tag) for tag in tags)
    picture.save(tmp_path / "in/cat/1.png", exif=exif + bytes(4))
    assert main(["import-images", str(tmp_path / "in"), str(tmp_path / "out.npz")]) == 0
    with np.load(tmp_path / "out.npz") as arrays:
        assert np.array_equal(arrays["x"][0, 0], np.rot90(np.arange(12).reshape(3, 4), -1))


def test_new_pictures_get_the_colours_of_those_that_were_learned_from(pictures: Path, tmp_path: Path, capsys) -> None:
    """Grey ones only, to predict, where there were coloured ones; or the other way round."""
    for colours, channels in ("rgb", 3), ("grey", 1):
        out = tmp_path / f"{colours}.npz"
        assert main(["import-images", str(pictures), str(out), "--colours", colours]) == 0
        assert np.load(out)["x"].shape == (6, channels, 5, 4)
    Image.new("RGB", (4, 5), (9, 90, 200)).save(pictures / "dog" / "3.png")
    assert main(["import-images", str(pictures), str(tmp_path / "all.npz"), "--colours=grey"]) == 0
    assert np.load(tmp_path / "all.npz")["x"].shape == (7, 1, 5, 4)


@pytest.mark.parametrize(("resize", "shape"), [("6", (1, 6, 6)), ("3x7", (1, 3, 7))])
def test_unequal_sizes_need_resize(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], resize: str, shape: tuple[int, ...]
) -> None:
    Image.new("L", (9, 9)).save(pictures / "dog" / "3.png")
    out = tmp_path / "out.npz"
    assert main(["import-images", str(pictures), str(out)]) == 2 and not out.exists()
    assert capsys.readouterr().err == (
        f"error: the picture has 9x9 pixels, and the first one 5x4; in {pictures / 'dog' / '3.png'}; "
        "give all the same size with --resize, such as --resize 64x64\n"
    )
    assert main(["import-images", str(pictures), str(out), "--resize", resize]) == 0
    assert np.load(out)["x"].shape == (7, *shape)


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("dog/3.png", b"no picture", "the picture cannot be read (cannot identify image file"),
        ("dog/3.png", None, "the picture cannot be read (image file is truncated"),
        ("dog/3.tif", np.zeros((5, 4), np.uint16), "it has more than 256 levels of grey, or of a colour"),
        ("dog/3.png", DEEP, "it has more than 256 levels of grey, or of a colour"),
    ],
)
def test_a_picture_that_cannot_be_used_is_named(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, content: object, sentence: str
) -> None:
    if isinstance(content, np.ndarray):
        Image.fromarray(content).save(pictures / file)
    elif content is None:
        noise = np.random.default_rng(0).integers(0, 255, (50, 40), dtype=np.uint8)
        Image.fromarray(noise).save(pictures / file)
        (pictures / file).write_bytes((pictures / file).read_bytes()[:1000])
    else:
        (pictures / file).write_bytes(content)  # type: ignore[arg-type]
    assert main(["import-images", str(pictures), str(tmp_path / "out.npz")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {sentence}") and f"; in {pictures / file}; " in error
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_class_whose_name_is_no_text_is_named(pictures: Path, tmp_path: Path, capsys) -> None:
    (pictures / "dog").rename(pictures / "caf\udce9")  # as an archive of Latin-1 names leaves it
    assert main(["import-images", str(pictures), str(tmp_path / "out.npz")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: the picture cannot be read ('utf-8' codec can't encode") and r"caf\udce9" in error
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", "out.npz"], "there is no such folder; nowhere, seen from "),
        (["none", "out.npz"], "there are no pictures, nor in its folders; in none, seen from "),
        (["in", "out.csv"], "the file must end in .npz; in out.csv; "),
        (["in", "in"], "the file must end in .npz; in in; "),
        (["in", "out.npz", "--resize=99999"], "it needs 167.6 GiB of memory, and"),
        (["in", "out.npz", "--resize=1x2x3"], "--resize is 1x2x3; in the settings; it must be none, 64 (both sides)"),
        (["in"], "Missing from {{ cookiecutter.project_slug }} import-images: OUT.npz"),
    ],
)
def test_a_mistake_gets_one_sentence(
    pictures: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(pictures.parent)
    (pictures.parent / "none").mkdir()
    assert main(["import-images", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"error: {sentence}")

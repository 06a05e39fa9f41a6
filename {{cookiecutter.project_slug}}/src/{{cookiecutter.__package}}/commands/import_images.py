"""`import-images`: a folder of pictures per class becomes one .npz, by `torch.stack` (lesson 9 of the notes)."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ..errors import DataError, printable
from ..memory import check_memory
from ..progress import progress
from ..storage import check_new, new_file

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
LITTER = (".", "__MACOSX")  # how names begin that systems and editors leave behind


def run(folder: Path, out: Path, *, resize: str) -> None:
    """Write x (N, C, H, W), y (N,), the names of the folders, and files (N,), which picture is which, to `out`.

    Pictures that lie in the folder itself have no y, and are taken only if no others are there. Raises ConfigError,
    DataError, OSError.
    """
    check_new(out, [".npz"])
    if not folder.is_dir():
        fix = "name the one with the pictures"
        raise DataError("there is no such folder", f"{folder}, seen from {Path.cwd()}", fix)
    classes = [each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(LITTER)]
    inside = [path for each in classes for path in each.iterdir()]  # not rglob: a folder may be a link
    in_classes = pictures(inside)
    files = in_classes or pictures(folder.iterdir())
    if not files:
        fix = f"make a folder for each class, with pictures in it ({', '.join(sorted(PICTURES))})"
        raise DataError("there are no pictures, nor in its folders", f"in {folder}, seen from {Path.cwd()}", fix)
    height, _, width = resize.partition("x")
    size = None if resize == "none" else (int(width or height), int(height))  # Pillow has the width first
    images: list[Tensor] = []
    with progress(len(files), "reading pictures", unit=" pictures") as bar:
        for path in files:
            images.append(read(path, size))
            if len(images) == 1:
                check_memory(3 * len(files) * images[0].nbytes, f"for the pictures of {folder}")
            if images[-1].shape[1:] != images[0].shape[1:]:
                this, first = ("x".join(map(str, image.shape[1:])) for image in (images[-1], images[0]))
                what = f"the picture has {this} pixels, and the first one {first}"
                raise DataError(what, f"in {path}", "give all the same size with --resize, such as --resize 64x64")
            bar.update()
    channels = max(len(image) for image in images)
    x = torch.stack([image.expand(channels, -1, -1) for image in images]).numpy()  # grey among colours: three times
    arrays = {"x": x, "files": np.array([path.relative_to(folder).as_posix() for path in files])}
    if in_classes:
        arrays["y"] = np.array([path.parent.name for path in files])
    with new_file(out) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    others = len({path for path in [*folder.rglob("*"), *inside] if path.is_file()} - set(files))
    left = f"; {others} other files were left out" if others else ""
    of = f"of {len({*arrays['y']})} classes" if in_classes else "without classes"
    print(printable(f"{len(x):,} pictures {of}, {x.shape[1:]}, are in {out}{left}"))


def pictures(paths: Iterable[Path]) -> list[Path]:
    """Return the files that look like pictures, in the order of their names."""
    named = [path for path in paths if path.suffix.lower() in PICTURES and not path.name.startswith(LITTER)]
    return sorted(path for path in named if path.is_file())


def read(path: Path, size: tuple[int, int] | None) -> Tensor:
    """Return a picture as (1, H, W), or (3, H, W) if it has colours, uint8; upright, as its camera says."""
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith(("I", "F")):
                what = f"it has more than 256 grey levels (mode {upright.mode})"
                fix = "turn such pictures into arrays yourself, and save them with np.savez"
                raise DataError(what, f"in {path}", fix)
            grey = upright.mode in ("1", "L", "LA")
            upright = upright.convert("L" if grey else "RGB")
            upright = upright.resize(size, Image.Resampling.BILINEAR) if size else upright
            array = np.asarray(upright)
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"the picture cannot be read ({reason})", f"in {path}", "repair it or take it away") from error
    return torch.from_numpy(array.copy()).reshape(array.shape[0], array.shape[1], -1).permute(2, 0, 1)

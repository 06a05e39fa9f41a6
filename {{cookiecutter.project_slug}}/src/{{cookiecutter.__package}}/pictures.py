"""Pictures as arrays: which files of a folder are pictures, and what one holds."""

import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image
from PIL.Image import Transpose
from torch import Tensor

from .errors import DataError

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
LITTER = (".", "__MACOSX")  # how names begin that systems and editors leave behind
# How to turn a picture, by the number that tells how the camera was held (EXIF, tag 274): from 2, as 1 is upright.
TURNS = ["FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90"]
UPRIGHT = {number: Transpose[turn] for number, turn in enumerate(TURNS, 2)}


def pictures_among(paths: Iterable[Path]) -> list[Path]:
    """Return the files that look like pictures, in the order of their names."""
    named = (path for path in paths if path.suffix.lower() in ENDINGS and not path.name.startswith(LITTER))
    return sorted(path for path in named if path.is_file())


def read_picture(path: Path, size: tuple[int, int] | None, colours: str = "auto") -> Tensor:
    """Return a picture as (1, H, W), or (3, H, W) if it has colours, uint8; upright, as its camera says."""
    try:
        str(path).encode()  # the name of a class must be text
        # Warnings are of odd EXIF data, and the like. By its name, Pillow 13.0 would open some rotated TIFFs wrongly.
        with warnings.catch_warnings(action="ignore"), path.open("rb") as file, Image.open(file) as picture:
            deep = re.search(";16[BLN]", str(picture.tile))  # two bytes a value, of which Pillow would drop one
            picture.load()
            held = UPRIGHT.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
            upright = picture if held is None else picture.transpose(held)  # exif_transpose fails at odd tags
            if deep or upright.mode.startswith(("I", "F")):
                fix = "make arrays of such pictures yourself, saved with np.savez"
                raise DataError("it has more than 256 levels of grey, or of a colour", f"in {path}", fix)
            is_grey = colours == "grey" or (colours == "auto" and upright.mode in ("1", "L", "LA"))
            upright = upright.convert("L" if is_grey else "RGB")
            array = np.array(upright.resize(size, Image.Resampling.BILINEAR) if size else upright)
    except DataError:
        raise
    except Exception as error:  # Pillow raises many kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"the picture cannot be read ({reason})", f"in {path}", "mend, rename or remove it") from error
    return torch.from_numpy(array).reshape(*array.shape[:2], -1).permute(2, 0, 1)

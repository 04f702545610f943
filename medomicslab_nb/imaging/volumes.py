"""A volume: voxels with their geometry, read from and written to the formats that SimpleITK knows."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
"""Files that hold one volume."""

_NIFTI_HEADER = 348  # bytes
_SPACINGS_DIFFER = 1e-3

_PIXEL_TYPES = {sitk.sitkUInt8: "uint8", sitk.sitkInt8: "int8", sitk.sitkUInt16: "uint16", sitk.sitkInt16: "int16",
                sitk.sitkUInt32: "uint32", sitk.sitkInt32: "int32", sitk.sitkFloat32: "float32",
                sitk.sitkFloat64: "float64"}


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels and where they lie.

    Attributes
    ----------
    array : ndarray, shape (z, y, x)
        float32 for images, bool for masks.
    geometry : Geometry
    unit : str
        ``HU``, ``SUVbw``, ``SUVbsa``, ``SUVlbm``, ``Gy``, or empty.
    frame_of_reference : str
        Its UID, where it is known: only then can contours of another file be checked against it.
    pixel_type : str
        numpy's name of the type in which the file stores the voxels, e.g. ``int16``, or empty. pyradiomics rounds
        interpolated values to it.
    """

    array: np.ndarray
    geometry: Geometry
    unit: str = ""
    frame_of_reference: str = ""
    pixel_type: str = ""

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape:
            raise ValueError(f"array of shape {self.array.shape} does not fit a grid of {self.geometry.shape}")

    def with_array(self, array: np.ndarray) -> Volume:
        """Other voxels on the same grid."""
        return replace(self, array=array)

    def crop(self, lower: tuple[int, int, int], size: tuple[int, int, int]) -> Volume:
        """The part that begins at index ``lower`` (x, y, z); it must lie inside."""
        (x, y, z), (nx, ny, nz) = lower, size
        part = self.array[z:z + nz, y:y + ny, x:x + nx]
        return replace(self, array=np.ascontiguousarray(part), geometry=self.geometry.crop(lower, size))

    def to_image(self) -> sitk.Image:
        """As a SimpleITK image (masks as uint8); the voxels are copied."""
        array = self.array.astype(np.uint8) if self.array.dtype == bool else self.array
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.geometry.spacing_mm)
        image.SetOrigin(self.geometry.origin_mm)
        image.SetDirection(self.geometry.direction)
        return image

    @classmethod
    def of_image(cls, image: sitk.Image, unit: str = "", frame_of_reference: str = "") -> Volume:
        """From a SimpleITK image; the voxels are copied."""
        return cls(sitk.GetArrayFromImage(image), Geometry.of_image(image), unit, frame_of_reference)


def read_volume(path: Path, unit: str = "") -> Volume:
    """A volume from NIfTI, NRRD or MetaImage, as float32.

    Raises
    ------
    DataError
        The file is missing, damaged, of another format, or holds no three-dimensional grey values.
    """
    image, pixel_type = _read(path, sitk.sitkFloat32)
    return replace(Volume.of_image(image, unit), pixel_type=pixel_type)


def read_labels(path: Path) -> Volume:
    """A label volume from NIfTI, NRRD or MetaImage: whole numbers, in the integer type of the file or as int32.

    Raises
    ------
    DataError
        As :func:`read_volume`; also when its values are no whole numbers.
    """
    volume = Volume.of_image(_read(path, None)[0])
    if volume.array.dtype.kind in "iu":
        return volume
    with np.errstate(invalid="ignore"):  # NaN is no whole number, and is found below
        labels = volume.array.astype(np.int32)
    if not np.array_equal(labels, volume.array):
        raise DataError("a mask must hold whole numbers (labels)", where=f"file {path.name}",
                        todo="Export a label map, or threshold the probability map first")
    return volume.with_array(labels)


def check_nifti(path: Path) -> None:
    """Refuse a NIfTI-1 file that is cut off or says two things about its voxels' size: ITK reads both in silence.

    Nothing is said of other files.

    Raises
    ------
    DataError
    """
    zipped = path.name.lower().endswith(".nii.gz")
    if not zipped and not path.name.lower().endswith(".nii"):
        return
    where = f"file {path.name}"
    try:
        with gzip.open(path) if zipped else path.open("rb") as stream:
            header = stream.read(_NIFTI_HEADER)
    except (EOFError, zlib.error):
        raise _cut_off(where) from None
    except OSError:
        return
    order = next((order for order in "<>" if header[:4] == struct.pack(f"{order}i", _NIFTI_HEADER)), "")
    if not order or len(header) < _NIFTI_HEADER:
        return  # NIfTI-2, or nothing that SimpleITK reads
    (count, *shape), bits, (start,) = (struct.unpack_from(order + kind, header, at)
                                       for kind, at in (("8h", 40), ("h", 72), ("f", 108)))
    needed = int(start) + math.prod(shape[:max(0, count)]) * bits[0] // 8
    if needed > (_unzipped_bytes(path, needed) if zipped else path.stat().st_size):
        raise _cut_off(where)
    spacing, (_, form) = struct.unpack_from(order + "3f", header, 80), struct.unpack_from(order + "2h", header, 252)
    steps = np.linalg.norm(np.array(struct.unpack_from(order + "12f", header, 280)).reshape(3, 4)[:, :3], axis=0)
    if form > 0 and not np.allclose(steps, np.abs(spacing), rtol=_SPACINGS_DIFFER):
        raise DataError(f"the file gives two sizes of a voxel: {_by(spacing)} mm (pixdim) and {_by(steps)} mm (sform)",
                        where=where, todo="Export it again with software that writes one")


def _unzipped_bytes(path: Path, expected: int) -> int:
    """Bytes that a gzip file holds; 0 when it is cut off or damaged."""
    with path.open("rb") as stream:
        stream.seek(-4, 2)
        # How many there were is written at the end: only where this differs, the file is unpacked.
        if struct.unpack("<I", stream.read(4))[0] == expected % 2**32:
            return expected
    held = 0
    try:
        with gzip.open(path) as stream:
            while part := stream.read(1 << 20):
                held += len(part)
    except (OSError, EOFError, zlib.error):
        return 0
    return held


def _cut_off(where: str) -> DataError:
    return DataError("the file is cut off or damaged", where=where, todo="Copy or export it again")


def _by(values: Iterable[float]) -> str:
    return " x ".join(f"{value:g}" for value in values)


def write_volume(volume: Volume, path: Path) -> None:
    """Write a volume; the suffix decides the format."""
    sitk.WriteImage(volume.to_image(), str(path), useCompression=True)


def _read(path: Path, pixel_type: int | None) -> tuple[sitk.Image, str]:
    """The image in a pixel type (None: as in the file), and the name of the type in which the file has it."""
    where = f"file {path.name}"
    if not path.is_file():
        raise DataError("the file is missing", where=where, todo="Check the path")
    check_nifti(path)
    try:
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        shape, components = reader.GetSize(), reader.GetNumberOfComponents()
        if components != 1:
            raise DataError(f"grey values were expected, {components} values per voxel were found", where=where,
                            todo="Export one channel")
        if len(shape) != 3 and not (len(shape) == 4 and shape[3] == 1):
            raise DataError(f"three dimensions were expected, {len(shape)} were found", where=where,
                            todo="Export one volume per file")
        stored = _PIXEL_TYPES.get(reader.GetPixelID(), "")
        if pixel_type is not None:
            reader.SetOutputPixelType(pixel_type)
        image = reader.Execute()
    except RuntimeError:
        raise DataError("the file is damaged, or no image that SimpleITK reads", where=where,
                        todo="Export it again as NIfTI or NRRD") from None
    return (image[..., 0] if image.GetDimension() == 4 else image), stored

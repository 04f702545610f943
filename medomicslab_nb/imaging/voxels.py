"""The voxels of validated slices: rescaled, in float32, by SimpleITK."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import SimpleITK as sitk
from pydicom import config
from pydicom.uid import UID

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dicom_headers import Header, uid_name


def check_rescale(slices: Sequence[Header], modality: str) -> None:
    """Raise when values could not be turned into HU or activity, or only on some slices."""
    have = [header.number("RescaleSlope") is not None and header.number("RescaleIntercept") is not None
            for header in slices]
    if not all(have) and (any(have) or modality in ("CT", "PT")):
        odd = slices[have.index(False)]
        raise odd.error(f"the rescale slope or intercept is missing on {have.count(False)} of {len(have)} slices",
                        "Export the original series; without them the values have no unit")
    for header in slices:
        slope = header.number("RescaleSlope")
        if slope is not None and slope <= 0:
            raise header.error(f"the rescale slope {slope:g} is not positive", "Export the original series")
        if modality == "CT" and header.text("RescaleType") not in ("", "HU"):
            raise header.error(f"the values are '{header.text('RescaleType')}', not Hounsfield units",
                               "Import a CT series in HU")


def read_voxels(slices: Sequence[Header]) -> np.ndarray:
    """All slices, each with its own slope and intercept, float32, shape (z, y, x).

    Raises
    ------
    DataError
        A file is damaged, or compressed in a way that SimpleITK does not read.
    """
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(header.file) for header in slices])
    # Before reading: otherwise the first slice's slope decides on a type, to which the others' values are cut.
    reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        with _no_warnings():
            return sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError:
        raise _unread(slices) from None


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Nothing of ITK's on the terminal; what matters was checked before."""
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.GlobalWarningDisplayOff()
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def _unread(slices: Sequence[Header]) -> DataError:
    """Which file SimpleITK does not read, and why, as far as can be told."""
    for header in slices:
        try:
            with _no_warnings():
                sitk.ReadImage(str(header.file), imageIO="GDCMImageIO")
        except RuntimeError:
            if header.syntax and _is_compressed(header.syntax):
                return header.error(f"its pixels, compressed as {uid_name(header.syntax)}, cannot be decoded",
                                    "Export the series uncompressed (Explicit VR Little Endian)")
            return header.error("its header or pixels are damaged (an invalid VR, for example)",
                                "Export the file again")
    return slices[0].error("the series cannot be read as one volume", "Export the series again")


def _is_compressed(syntax: str) -> bool:
    known = UID(syntax, validation_mode=config.IGNORE)
    return known.is_transfer_syntax and known.is_compressed

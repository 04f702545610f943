"""Real patients: contours of 51 sarcomas and of the IBSI CT phantom against the masks that MIRP made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medomicslab_nb.imaging.masks import list_rois, load_mask
from medomicslab_nb.imaging.series import load_series
from medomicslab_nb.imaging.volumes import Volume, read_labels, read_volume

pytestmark = pytest.mark.realdata

MASKS = {"PET": 51, "CT": 10, "MR_T1": 10}


def slices(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.dcm"))


def compared(folder: Path, image: Path, mask: Path, roi: str) -> tuple[Volume, Volume]:
    """The image and mask from DICOM, after the mask was found to be that of the NIfTI file, voxel for voxel."""
    volume = load_series(slices(folder / "image"))
    contours = next((folder / "mask").iterdir())
    assert list_rois(contours) == (roi,)
    found = load_mask(contours, roi, volume)
    expected = read_labels(mask)
    assert found.geometry.same_as(expected.geometry)
    assert np.array_equal(found.array, expected.array > 0)
    assert np.array_equal(load_mask(mask, "1", volume).array, found.array)
    assert read_volume(image).geometry.same_as(volume.geometry)
    return volume, found


@pytest.mark.parametrize("modality", MASKS)
def test_every_mask_and_every_image_of_sts(real_data: Path, modality: str) -> None:
    """71 of 71 masks, and all voxels of their images; SUV is as written (bad input 34)."""
    folders = sorted((real_data / "sts" / "dicom").glob(f"STS_*/{modality}"))
    assert len(folders) == MASKS[modality]
    for folder in folders:
        nifti = real_data / "sts" / "nifti" / folder.parent.name
        image = nifti / f"{modality}_image.nii.gz"
        volume, _ = compared(folder, image, nifti / f"{modality}_mask.nii.gz", f"GTV_Mass_{modality}")
        assert volume.unit == {"PET": "SUVbw", "CT": "HU", "MR_T1": ""}[modality]
        expected = read_volume(image).array
        if modality == "PET":  # MIRP multiplied by the slopes in 32 bits: the last bit may differ
            np.testing.assert_allclose(volume.array, expected, rtol=2e-7, atol=0)
        else:
            assert np.array_equal(volume.array, expected)


def test_ibsi_ct_phantom(real_data: Path) -> None:
    folder = real_data / "ibsi" / "ct_phantom"
    roi = list_rois(next((folder / "dicom" / "mask").iterdir()))
    volume, _ = compared(folder / "dicom", folder / "image.nii.gz", folder / "mask.nii.gz", roi[0])
    assert volume.unit == "HU"
    assert np.array_equal(volume.array, read_volume(folder / "image.nii.gz").array)

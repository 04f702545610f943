"""Volumes through files and back."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import SUFFIXES, Volume, read_labels, read_volume, write_volume

OBLIQUE = Geometry((10, 20, 30), (0.7, 1.1, 3.3), (-11.0, 25.0, 40.0), (0.6, 0.0, 0.8, 0.0, -1.0, 0.0, 0.8, 0.0, -0.6))


def volume() -> Volume:
    return Volume(np.random.default_rng(0).normal(size=OBLIQUE.shape).astype(np.float32), OBLIQUE)


@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix not in (".nhdr", ".mhd")])
def test_written_and_read_it_is_the_same(tmp_path: Path, suffix: str) -> None:
    """bad input 89: NIfTI stores RAS, the others LPS; both come back where they were."""
    path = tmp_path / f"image{suffix}"
    write_volume(volume(), path)
    again = read_volume(path)
    assert np.array_equal(again.array, volume().array)
    assert again.geometry.same_as(OBLIQUE)


def test_mask_is_written_as_whole_numbers_and_read_as_labels(tmp_path: Path) -> None:
    mask = volume().with_array(volume().array > 0)
    write_volume(mask, tmp_path / "mask.nii.gz")
    assert np.array_equal(read_labels(tmp_path / "mask.nii.gz").array == 1, mask.array)


def test_crop_is_the_same_part_of_array_and_space() -> None:
    part = volume().crop((2, 3, 4), (5, 6, 7))
    assert part.array.shape == (7, 6, 5)
    assert np.array_equal(part.array, volume().array[4:11, 3:9, 2:7])
    assert np.allclose(part.geometry.origin_mm, OBLIQUE.to_points(np.array([[2, 3, 4]]))[0])


def test_array_must_fit_the_grid() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Volume(np.zeros((10, 20, 30)), OBLIQUE)


def test_what_is_no_volume_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.nii.gz").write_text("no image")
    with pytest.raises(DataError, match=r"file text\.nii\.gz: the file is damaged, or no image"):
        read_volume(tmp_path / "text.nii.gz")
    with pytest.raises(DataError, match=r"file gone\.nrrd: the file is missing"):
        read_volume(tmp_path / "gone.nrrd")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_bad_input_09_truncated_nifti(tmp_path: Path, suffix: str) -> None:
    """SimpleITK alone reads it in silence."""
    path = tmp_path / f"whole{suffix}"
    write_volume(volume(), path)
    content = path.read_bytes()
    for end in (len(content) - 1, len(content) // 2):
        (tmp_path / f"cut{suffix}").write_bytes(content[:end])
        with pytest.raises(DataError, match=r"file cut\.nii.*cut off"):
            read_volume(tmp_path / f"cut{suffix}")


def test_nifti_with_more_at_its_end_is_read(tmp_path: Path) -> None:
    write_volume(volume(), tmp_path / "image.nii")
    content = (tmp_path / "image.nii").read_bytes() + bytes(8)
    (tmp_path / "more.nii.gz").write_bytes(gzip.compress(content[:5000]) + gzip.compress(content[5000:]))
    assert np.array_equal(read_volume(tmp_path / "more.nii.gz").array, volume().array)


def test_nifti_that_gives_two_sizes_of_a_voxel(tmp_path: Path) -> None:
    path = tmp_path / "image.nii"
    write_volume(volume(), path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, 80, 1.4)  # pixdim of x; sform still says 0.7
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"two sizes of a voxel: 1\.4 x 1\.1 x 3\.3 mm"):
        read_volume(path)


def test_colour_time_series_and_single_slices_are_refused(tmp_path: Path) -> None:
    for name, image, words in (
        ("rgb.nrrd", sitk.Image((4, 5, 6), sitk.sitkVectorUInt8, 3), "3 values per voxel"),
        ("time.nii.gz", sitk.Image((4, 5, 6, 2), sitk.sitkFloat32), "4 were found"),
        ("slice.nrrd", sitk.Image((4, 5), sitk.sitkFloat32), "2 were found"),
    ):
        sitk.WriteImage(image, str(tmp_path / name))
        with pytest.raises(DataError, match=words):
            read_volume(tmp_path / name)


def test_probability_map_is_no_label_map(tmp_path: Path) -> None:
    write_volume(volume(), tmp_path / "probability.nii.gz")
    with pytest.raises(DataError, match="whole numbers"):
        read_labels(tmp_path / "probability.nii.gz")

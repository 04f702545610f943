"""What a path holds that somebody wants to add: a table, or images, and in which form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medomicslab_nb.data.archives import is_archive
from medomicslab_nb.data.image_list import is_image_list, is_volume_folder
from medomicslab_nb.data.images import ImportReport, import_dicom, import_image_list, opened
from medomicslab_nb.progress import Progress
from medomicslab_nb.pseudonyms import Key
from medomicslab_nb.study import Study


def holds_images(path: Path) -> bool:
    """Whether a path is a folder, an archive, or a list of images; otherwise it is a table."""
    return path.is_dir() or is_archive(path) or (path.is_file() and is_image_list(path))


def add_images(study: Study, path: Path, *, modalities: Sequence[str] = (), rois: Sequence[str] = (),
               deidentify: Key | None = None, progress: Progress | None = None) -> ImportReport:
    """Add the images of a folder, an archive or a list, whatever their form; see the functions that it calls.

    Raises
    ------
    DataError
        There are no images in it, or it is refused. Nothing is stored then.
    """
    progress = progress or Progress()
    if path.is_file() and not is_archive(path):
        return import_image_list(study, path, modalities=modalities, rois=rois, deidentify=deidentify,
                                 progress=progress)
    with opened(study, path, progress, keep=deidentify is None) as folder:
        if is_volume_folder(folder):
            return import_image_list(study, folder, modalities=modalities, rois=rois, deidentify=deidentify,
                                     progress=progress)
        return import_dicom(study, folder, modalities=modalities, rois=rois, deidentify=deidentify, progress=progress)

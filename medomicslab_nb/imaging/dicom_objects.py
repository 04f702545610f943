"""DICOM objects other than images (contours, segmentations, doses, registrations), opened safely."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydicom import config
from pydicom.dataset import Dataset

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dicom_headers import read_header


@contextmanager
def dicom_object(path: Path, sop_classes: Sequence[str], kind: str) -> Iterator[Dataset]:
    """The data set of an object without pixels; what goes wrong while it is looked at becomes a named error.

    Parameters
    ----------
    path : Path
    sop_classes : sequence of str
        UIDs of the classes that are expected.
    kind : str
        Their name, for messages, e.g. ``RT Dose``.

    Raises
    ------
    DataError
        The file is missing, damaged or of another class.
    """
    where = f"file {path.name}"
    header = read_header(path)
    # Vendors' files break rules for lengths and characters of values that nothing here depends on.
    with config.disable_value_validation(), warnings.catch_warnings(action="ignore"):
        try:
            if header.get("SOPClassUID") not in sop_classes:
                raise DataError(f"it is no {kind}", where=where, todo=f"Choose a file that holds one ({kind})")
            yield header
        except DataError:
            raise
        # pydicom reads lazily, and meets damage with almost any exception.
        except Exception as error:
            raise DataError(f"the {kind} is incomplete or damaged ({type(error).__name__})", where=where,
                            todo="Export it again") from None

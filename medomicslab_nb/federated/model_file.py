"""A federated model as a file that any program can read: JSON with the preparation, the model and its sites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint, as_category
from medomicslab_nb.federated.messages import Values
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.tasks.preparation import prepared_to_score
from medomicslab_nb.federated.tasks.scoring import score
from medomicslab_nb.files import canonical_json, read_document

NAME = "federated_model.json"

_FORMAT = "federated_model"
_VERSION = 1


@dataclass(frozen=True)
class FederatedModel:
    """A model that was fitted over sites.

    Attributes
    ----------
    outcome, time : str
        Columns that it was fitted to.
    kind : {"binary", "continuous", "survival"}
    sites : tuple of str
        Whose patients trained it.
    preparation : mapping
        ``.values()`` of the preparation.
    model : mapping
        ``.values()`` of the model.
    """

    outcome: str
    time: str
    kind: str
    sites: tuple[str, ...]
    preparation: Values
    model: Values

    def predict(self, frame: pd.DataFrame) -> pd.Series:
        """Probability of the outcome, its value, or the log hazard ratio against the mean patient, by row.

        Parameters
        ----------
        frame : DataFrame
            Columns as in training; values may be missing. Of a site that was harmonised, the harmonised values.

        Raises
        ------
        DataError
            A column is missing, or holds text where training had numbers.
        """
        needed = [*self.preparation["numeric"], *self.preparation["categories"]]
        lacking = [name for name in needed if name not in frame]
        if lacking:
            raise DataError(f"there is no column {', '.join(map(repr, lacking[:5]))}", where="patients to predict",
                            todo="Give them all columns that the model was trained with")
        columns = frame[needed].copy()
        for name in self.preparation["categories"]:
            columns[name] = columns[name].astype(object).where(columns[name].notna(), None).map(
                as_category, na_action="ignore")
        nobody = Endpoint(self.outcome, np.zeros(len(frame), dtype=bool), frame.index)
        patients = SitePatients(columns, tuple(self.preparation["categories"]), nobody,
                                np.zeros(len(frame), dtype=bool))
        found = score(self.model, prepared_to_score(patients, self.preparation))
        return pd.Series(expit(found) if self.kind == "binary" else found, index=frame.index, name=self.outcome)

    def to_bytes(self) -> bytes:
        """The file's content."""
        content = {"format": f"medomicslab_nb/{_FORMAT}", "format_version": _VERSION, "outcome": self.outcome,
                   "time": self.time, "kind": self.kind, "sites": list(self.sites),
                   "preparation": _listed(self.preparation), "model": _listed(self.model)}
        return canonical_json(content).encode()


def read_model(path: Path | str) -> FederatedModel:
    """The model that a file holds.

    Raises
    ------
    StudyError
        It is no such file, or of a newer version.
    """
    content = read_document(Path(path), _FORMAT, _VERSION)
    return FederatedModel(content["outcome"], content["time"], content["kind"], tuple(content["sites"]),
                          _arrays(content["preparation"]), _arrays(content["model"]))


def _listed(value: Any) -> Any:
    """The same with arrays as lists under ``array``; infinity, which JSON does not have, is null there."""
    if isinstance(value, Mapping):
        return {name: _listed(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        whole = value.dtype.kind in "iub"
        finite = value if whole else np.where(np.isinf(value), None, value)
        return {"array": finite.tolist(), "shape": list(value.shape), "whole": whole}
    return value


def _arrays(value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {"array", "shape", "whole"}:
            return _array(value)
        return {name: _arrays(item) for name, item in value.items()}
    return value


def _array(value: Mapping[str, Any]) -> np.ndarray:
    if value["whole"]:
        return np.array(value["array"], dtype=np.int64).reshape(value["shape"])
    numbers = np.array(value["array"], dtype=float).reshape(value["shape"])
    return np.where(np.isnan(numbers), np.inf, numbers)

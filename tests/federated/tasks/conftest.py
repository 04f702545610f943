"""Sites as dictionaries: a task is driven without any transport, and every rule of a release is checked on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.federated.messages import Question, Release, Task, pack, unpack
from medomicslab_nb.federated.patients import SitePatients
from medomicslab_nb.federated.steps import get_step
from medomicslab_nb.federated.tasks.preparation import Preparation

HEART = ("cleveland", "hungarian", "switzerland", "va")
HEART_COLUMNS = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope",
                 "ca", "thal")


def drive(task: Task, sites: Mapping[str, SitePatients], minimum: int = 1,
          log: list[tuple[str, Question, Release]] | None = None) -> Any:
    """The task's result, with these patients at the sites.

    Questions and releases go through their bytes. An error at a site comes with the site's name, and a release with a
    count from 1 to ``minimum`` - 1 is one, as the site's policy has it.

    Parameters
    ----------
    log : list, optional
        Gets (site, question, release) of every answer.
    """
    try:
        question = next(task)
        while True:
            asked = sorted(sites) if question.sites is None else [site for site in sorted(sites)
                                                                  if site in question.sites]
            question = task.send({site: _answer(site, question, sites[site], minimum, log) for site in asked})
    except StopIteration as end:
        return end.value


def _answer(site: str, question: Question, patients: SitePatients, minimum: int, log: list | None) -> dict[str, Any]:
    try:
        release = get_step(question.step)(patients, unpack(pack(question.for_site(site))), minimum)
    except DataError as error:
        raise DataError(error.found, where=f"site {site}, {error.where}", todo=error.todo) from error
    small = [cell for cell in release.cells if 0 < cell < minimum]
    if small or 0 < release.patients < minimum:
        raise DataError(f"{len(small)} counts are below {minimum}", where=f"site {site}, step {question.step}")
    if log is not None:
        log.append((site, question, release))
    return unpack(pack(release.values))


def at_site(frame: pd.DataFrame, outcome: np.ndarray, *, time: np.ndarray | None = None, name: str = "outcome",
            testing: np.ndarray | None = None, unit: str = "") -> SitePatients:
    """Patients of one site: columns that are not numbers are categories; a bool outcome is binary."""
    frame = frame.set_axis(pd.Index([f"p{number:04d}" for number in range(len(frame))], name="patient"))
    categorical = tuple(column for column in frame if not pd.api.types.is_numeric_dtype(frame[column]))
    numeric = {column: float for column in frame if column not in categorical}
    endpoint = Endpoint(name, np.asarray(outcome), frame.index, time, unit)
    return SitePatients(frame.astype(numeric), categorical, endpoint,
                        np.zeros(len(frame), dtype=bool) if testing is None else testing)


def read_heart(folder: Path) -> dict[str, SitePatients]:
    """UCI heart disease, four hospitals: gaps where the file has "?", disease where num is above 0."""
    sites = {}
    for site in HEART:
        frame = pd.read_csv(folder / "heart" / f"processed.{site}.data", names=[*HEART_COLUMNS, "num"], na_values="?")
        sites[site] = at_site(frame[list(HEART_COLUMNS)], (frame["num"] > 0).to_numpy(), name="disease")
    return sites


def pooled(sites: Mapping[str, SitePatients]) -> tuple[pd.DataFrame, np.ndarray]:
    """Predictors and outcomes of the training patients of all sites, in the order of the sites' names."""
    parts = [sites[site].training_part for site in sorted(sites)]
    return (pd.concat([part.frame for part in parts], ignore_index=True),
            np.concatenate([part.endpoint.outcome for part in parts]))


@st.composite
def sites_with_gaps(draw: st.DrawFn) -> dict[str, SitePatients]:
    """Two to four sites of unequal size, each with its own share of gaps in each column, up to all of it.

    Numeric columns have any unit; categories are not all seen everywhere; binary outcomes with both classes.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    units = draw(st.lists(st.sampled_from([1e-3, 1.0, 250.0]), min_size=1, max_size=4))
    offsets = rng.normal(0, 5, len(units))
    kinds = draw(st.integers(0, 2))
    sites = {}
    for site in "abcd"[:draw(st.integers(2, 4))]:
        n = draw(st.integers(8, 60))
        numeric = {f"x{j}": (rng.normal(rng.normal(), rng.uniform(0.5, 2), n) + offsets[j]) * unit
                   for j, unit in enumerate(units)}
        text = {f"c{j}": rng.choice(["I", "II", "III"], n, p=rng.dirichlet([1, 1, 1])).astype(object)
                for j in range(kinds)}
        frame = pd.DataFrame(numeric | text)
        for name in frame:
            frame.loc[rng.random(n) < draw(st.sampled_from([0.0, 0.3, 0.9, 1.0])), name] = np.nan
        outcome = rng.random(n) < 0.4
        outcome[:2] = [True, False]
        sites[site] = replace(at_site(frame, outcome), categorical=tuple(text))
    return sites


def pooled_matrix(sites: Mapping[str, SitePatients], preparation: Preparation) -> np.ndarray:
    """scikit-learn's preparation of all training patients together, in the columns of the preparation."""
    frame, _ = pooled(sites)
    numeric = frame[list(preparation.numeric)].astype(float)
    zeros = list(preparation.zeros)
    numeric[zeros] = numeric[zeros].mask(numeric[zeros] == 0)
    parts = [numeric]
    for name, levels in preparation.categories.items():
        one_hot = pd.DataFrame({f"{name}={level}": (frame[name] == level).astype(float) for level in levels[1:]})
        one_hot[frame[name].isna()] = np.nan
        parts.append(one_hot)
    filled = SimpleImputer(keep_empty_features=True).fit_transform(pd.concat(parts, axis=1).to_numpy(dtype=float))
    return StandardScaler().fit_transform(filled)


@pytest.fixture(scope="session")
def heart(real_data) -> dict[str, SitePatients]:
    """See :func:`read_heart`."""
    return read_heart(real_data)

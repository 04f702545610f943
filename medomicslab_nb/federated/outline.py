"""What a run of the federated stage would do, said before it runs: at which sites, with whom, and what would leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.federated import site_folder
from medomicslab_nb.federated.federation_folder import open_federation
from medomicslab_nb.federated.patients import SitePatients, read_patients, split_by_column
from medomicslab_nb.federated.policy import check_patients, steps_of
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.federated.steps import STEPS
from medomicslab_nb.study import open_study


@dataclass(frozen=True)
class SiteOutline:
    """One site, as far as it can be seen from here.

    Attributes
    ----------
    patients, testing : int, optional
        Those with a known outcome, and how many of them judge the model; None where they cannot be seen.
    events : int, optional
        None also for an outcome that is a number.
    fault : str
        Why it would refuse, in one sentence; empty: nothing is known against it.
    """

    name: str
    patients: int | None = None
    events: int | None = None
    testing: int | None = None
    fault: str = ""


@dataclass(frozen=True)
class Outline:
    """What a run would do.

    Attributes
    ----------
    sites : tuple of SiteOutline
    leaves : tuple of str
        Summaries of the steps that sites would be asked, see :data:`~medomicslab_nb.federated.steps.STEPS`.
    fits : int
        Models over several sites, each site alone included.
    notes : tuple of str
        What was left out or decided, in whole sentences.
    """

    sites: tuple[SiteOutline, ...]
    leaves: tuple[str, ...]
    fits: int
    notes: tuple[str, ...] = ()


def outline(study: Any, settings: FederatedSettings) -> Outline:
    """What a run with these settings would do; nothing is asked of a site that is not on this machine.

    Raises
    ------
    DataError, SettingsError, StudyError
        There are no sites, or the outcome or the predictors cannot be used.
    """
    sites, notes = _sites(study, settings)
    return Outline(sites, tuple(STEPS[name].summary for name in steps_of(settings)),
                   _fits(settings, sum(site.name not in settings.test_sites for site in sites)), notes)


def _sites(study: Any, settings: FederatedSettings) -> tuple[tuple[SiteOutline, ...], tuple[str, ...]]:
    if settings.federation:
        members = open_federation(study.path / settings.federation).sites
        return tuple(SiteOutline(name, fault="" if member.key else "it has not sent its key yet")
                     for name, member in sorted(members.items())), ()
    if settings.site_column:
        patients, notes = read_patients(study, settings)
        parts, more = split_by_column(study, settings, patients)
        return tuple(_seen(name, part, settings) for name, part in parts.items()), (*notes, *more)
    return tuple(_of_folders(study, settings)), ()


def _of_folders(study: Any, settings: FederatedSettings) -> Iterator[SiteOutline]:
    for name, place in sorted(settings.sites.items()):
        folder = Path(study.path, place)
        if (folder / site_folder.NAME).exists():
            yield SiteOutline(name)  # its own rules say what may be known of it
            continue
        try:
            yield _seen(name, read_patients(open_study(folder), settings, name)[0], settings)
        except MedomicsError as error:
            yield SiteOutline(name, fault=str(error))


def _seen(name: str, patients: SitePatients, settings: FederatedSettings) -> SiteOutline:
    fault = ""
    try:
        check_patients(settings.policy, patients, "training", "schema")
    except MedomicsError as error:
        fault = str(error)
    events = None if patients.endpoint.kind == "continuous" else patients.endpoint.events
    return SiteOutline(name, len(patients), events, int(patients.testing.sum()), fault)


def _fits(settings: FederatedSettings, sites: int) -> int:
    """Over the sites, without each of them where others are left to be put together, and of each alone."""
    if settings.algorithm == "kaplan-meier" or settings.privacy.kind != "none":
        return 1
    return 1 + sites * ((settings.external and sites > 2) + settings.compare)

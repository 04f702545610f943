"""Who the sites of a run are, and how letters get to them: what the settings say, made ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medomicslab_nb.errors import DataError, MissingExtraError, SettingsError
from medomicslab_nb.federated.messages import Transport
from medomicslab_nb.federated.patients import SitePatients, read_patients, split_by_column
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.federated.site import Site
from medomicslab_nb.stages import load
from medomicslab_nb.study import open_study


@dataclass(frozen=True)
class Members:
    """The sites of a run.

    Attributes
    ----------
    names : tuple of str
        Sorted.
    transport : Transport
    patients : mapping of str to SitePatients
        Where all sites are simulated: their patients, for a model of all together. Empty otherwise.
    notes : tuple of str
    """

    names: tuple[str, ...]
    transport: Transport
    patients: Mapping[str, SitePatients]
    notes: tuple[str, ...] = ()


@contextmanager
def members(study: Any, settings: FederatedSettings, watch: Callable[[], None]) -> Iterator[Members]:
    """The sites that the settings name, with a way to them that is open until the end.

    Parameters
    ----------
    watch : callable
        Called while answers are waited for; may raise, e.g. Cancelled.

    Raises
    ------
    SettingsError
        The settings name no sites, or a backend that does not fit them.
    DataError
        A site's study cannot be used.
    """
    with ExitStack() as stack:
        if settings.federation:
            names, transport = _deployed(study, settings, watch, stack)
            yield Members(names, transport, {})
            return
        patients, notes = _by_column(study, settings) if settings.site_column else _of_folders(study, settings)
        sources = _sources(Path(study.path), settings, tuple(patients))
        if len(sources) < 2:
            raise SettingsError("a run needs two sites or more", where="settings",
                                todo="Name a column in 'site_column', study folders in 'sites', or a federation")
        if settings.backend == "ray":
            make = _transport("medomicslab_nb.federated.ray_backend:RayTransport", "the backend ray", "ray")
            transport = stack.enter_context(make(sources, watch=watch))
        else:
            sites = {name: Site.simulated(name, patients[name], settings.policy) if name in patients else source()
                     for name, source in sources.items()}
            make = _transport("medomicslab_nb.federated.flower:LocalTransport", "federated learning", "federated")
            transport = stack.enter_context(make(sites, watch=watch))
        yield Members(tuple(sorted(sources)), transport, patients if len(patients) == len(sources) else {}, notes)


@dataclass(frozen=True)
class SiteSource:
    """Where a site's patients are, to be opened in any process.

    Attributes
    ----------
    study : Path
        The study folder; with ``settings.site_column`` it holds the patients of all sites.
    """

    name: str
    study: Path
    settings: FederatedSettings

    def __call__(self) -> Site:
        if not self.settings.site_column and _has_rules(self.study):
            return Site.of_study(self.study)
        return Site.simulated(self.name, self._patients, self.settings.policy)

    def _patients(self, settings: FederatedSettings) -> SitePatients:
        del settings  # the plan's, which knows no column of sites
        study = open_study(self.study)
        if not self.settings.site_column:
            return read_patients(study, self.settings, self.name)[0]
        return split_by_column(study, self.settings, read_patients(study, self.settings)[0])[0][self.name]


def _sources(study: Path, settings: FederatedSettings, simulated: tuple[str, ...]) -> dict[str, SiteSource]:
    if settings.site_column:
        return {name: SiteSource(name, study, settings) for name in simulated}
    return {name: SiteSource(name, _folder(study, place), settings) for name, place in sorted(settings.sites.items())}


def _by_column(study: Any, settings: FederatedSettings) -> tuple[dict[str, SitePatients], tuple[str, ...]]:
    """Patients of the sites that are values of a column, and notes."""
    patients, notes = read_patients(study, settings)
    parts, more = split_by_column(study, settings, patients)
    return parts, (*notes, *more)


def _of_folders(study: Any, settings: FederatedSettings) -> tuple[dict[str, SitePatients], tuple[str, ...]]:
    """Patients of the study folders that have no rules of their own: those follow the run's."""
    patients = {}
    for name, place in sorted(settings.sites.items()):
        folder = _folder(Path(study.path), place)
        if _has_rules(folder):
            continue
        try:
            patients[name], _ = read_patients(open_study(folder), settings, name)
        except DataError as error:
            raise DataError(error.found, where=f"site {name}, {error.where}", todo=error.todo) from error
    return patients, ()


def _folder(study: Path, place: str) -> Path:
    return Path(study, place).resolve()


def _has_rules(folder: Path) -> bool:
    """Whether a study is a site with its own rules, approvals and audit log."""
    return (folder / "site").exists()


def _deployed(study: Any, settings: FederatedSettings, watch: Callable[[], None],
              stack: ExitStack) -> tuple[tuple[str, ...], Transport]:
    """The registered sites of a federation, by its servers."""
    folder = Path(study.path, settings.federation).resolve()
    opened = load("medomicslab_nb.federated.federation_folder:open_federation")(folder)
    nodes = opened.node_ids()
    if not nodes:
        raise SettingsError("no site has registered", where="setting 'federation'",
                            todo="Register the sites: medomicslab federation register DIR SITE PUBLIC_KEY")
    make = _transport("medomicslab_nb.federated.deploy:DeployTransport", "federated learning", "federated")
    return tuple(sorted(nodes)), stack.enter_context(make(folder, nodes, watch=watch))


def _transport(name: str, feature: str, extra: str) -> Any:
    try:
        return load(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("flwr", "grpc", "ray"):
            raise MissingExtraError(feature, extra) from None
        raise

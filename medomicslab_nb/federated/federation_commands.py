"""What a coordinator does with a federation: make it, invite, register, plan, start its server, see who is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from medomicslab_nb.errors import SettingsError, StudyError
from medomicslab_nb.federated.approval import SHORT, code_hash, summary
from medomicslab_nb.federated.certificates import Certificates, make_certificates
from medomicslab_nb.federated.connection import SOON_DAYS, certificate_days
from medomicslab_nb.federated.federation_folder import (
    FederationFolder,
    Member,
    create_federation,
    invite,
    key_fingerprint,
    open_federation,
    register,
    remove,
)
from medomicslab_nb.federated.invitation import certificate_fingerprint, split_address
from medomicslab_nb.federated.plan import plan_hash
from medomicslab_nb.federated.plan_file import PlanFile
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.stages import load

_EVERYWHERE = "0.0.0.0"  # noqa: S104  (sites come from outside; what is open to them asks for their key)


def new(path: str, address: str, name: str = "") -> FederationFolder:
    """Make a federation with its authority and its server's certificate.

    Raises
    ------
    StudyError
        The folder exists and is not empty.
    SettingsError
        The address is none.
    """
    folder = create_federation(path, name, address)
    make_certificates(folder.certificates, [split_address(address)[0]])
    return folder


def fingerprint(folder: FederationFolder) -> str:
    """That of the federation's authority."""
    return certificate_fingerprint(_certificates(folder).ca.read_text())


def invite_site(path: str, site: str) -> Path:
    """Write a site's invitation; gives its file."""
    folder = open_federation(path)
    return invite(folder, site, _certificates(folder).ca.read_text())


def register_site(path: str, site: str, public_key: Path) -> Member:
    """Take a site's public key; a server that runs knows it from now on, another when it is started."""
    folder = register(open_federation(path), site, public_key)
    if _runs(folder):
        folder = _tell_server(folder)
    return folder.sites[site]


def remove_site(path: str, site: str) -> FederationFolder:
    """Forget a site; a server that runs refuses it from now on, another when it is started."""
    folder = remove(open_federation(path), site)
    return _tell_server(folder) if _runs(folder) else folder


def write_plan(path: str, settings: Mapping[str, Any], out: Path | None = None) -> tuple[Path, str]:
    """Write a run down for sites to approve; gives the file and what it says.

    Raises
    ------
    SettingsError
        The settings are wrong, or say where simulated sites are.
    """
    folder = open_federation(path)
    plan = PlanFile(folder.name, FederatedSettings.parse(run_settings(path, settings)), code_hash())
    file = out or folder.path / "plans" / f"{plan_hash(plan.plan)[:SHORT]}.yaml"
    plan.write(file)
    return file, summary(plan.settings)


def run_settings(path: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the stage for a run over this federation.

    Raises
    ------
    SettingsError
        They say where simulated sites are.
    """
    other = next((name for name in ("site_column", "sites") if settings.get(name)), None)
    if other:
        raise SettingsError(f"'{other}' simulates sites, and a federation has real ones", where="settings",
                            todo=f"Leave '{other}' out, or type: medomicslab run federated --study DIR")
    return {**settings, "federation": str(open_federation(path).path), "backend": "deploy"}


def start_server(path: str, listen: str | None = None) -> Iterator[str]:
    """Start the server and let it know the sites that have registered; says what it does.

    Raises
    ------
    RunError
        It does not start.
    """
    folder = open_federation(path)
    host, port = split_address(listen) if listen else (_EVERYWHERE, split_address(folder.address)[1])
    _launch("start_superlink")(folder.path, host, port, _renewed(folder))
    yield f"The server of {folder.name} runs at port {port}. Hospitals reach it at {folder.address}."
    folder = _tell_server(folder)
    yield f"It lets in: {', '.join(folder.node_ids()) or 'nobody yet, since no hospital has registered'}"
    lacking = sorted(set(folder.sites) - set(folder.registered))
    if lacking:
        yield f"Invited, but no key has come from: {', '.join(lacking)}"


def stop_server(path: str) -> str:
    """Stop the server; says what was done."""
    running = _runs(open_federation(path))
    if running is None:
        return "The server does not run."
    _launch("stop")(running)
    return "The server is stopped. Sites try again until it is there; what was answered is kept."


def status(path: str) -> tuple[list[str], bool]:
    """Server and sites, a line each, and whether all of them are there."""
    folder = open_federation(path)
    running = _runs(folder)
    nodes = {node.id: node for node in _launch("nodes")(folder.path)} if running else None
    states = {name: _state(member, nodes) for name, member in sorted(folder.sites.items())}
    width = max(map(len, ("server", *states)))
    lines = [f"Federation {folder.name} at {folder.address}",
             f"  {'server':<{width}}  {'runs' if running else f'does not run: medomicslab federation start {path}'}",
             *([f"  {name:<{width}}  {words}" for name, (words, _) in states.items()] or ["  no site is invited yet"])]
    return lines, running is not None and all(online for _, online in states.values())


def _state(member: Member, nodes: Mapping[int, Any] | None) -> tuple[str, bool]:
    """A site in words, and whether it is there; ``nodes`` is None when the server does not run."""
    if not member.key:
        return "invited; its public key has not come", False
    if nodes is None:
        return "registered", False
    if member.node is None or member.node not in nodes:
        return "registered; the server has not run since", False
    node = nodes[member.node]
    if node.online:
        return f"connected since {node.since[:19]}", True
    return f"not connected; it came last {node.since[:19]}" if node.since else "has not connected yet", False


def _tell_server(folder: FederationFolder) -> FederationFolder:
    """Let the server know exactly the keys that are in the folder."""
    keys = {member.key for member in folder.registered.values()}
    for node in _launch("nodes")(folder.path):
        if key_fingerprint(node.public_key) not in keys:
            _launch("unregister_node")(folder.path, node.id)
    for name in folder.registered:
        folder = _with_node(folder, name, _launch("register_node")(folder.path, folder.key(name)))
    return folder


def _with_node(folder: FederationFolder, site: str, node: int) -> FederationFolder:
    return folder.update(site, lambda member: replace(member, node=node))


def _certificates(folder: FederationFolder) -> Certificates:
    files = Certificates(*(folder.certificates / name for name in ("ca.pem", "server.pem", "server.key")))
    missing = next((path.name for path in (files.ca, files.certificate, files.key) if not path.is_file()), None)
    if missing:
        raise StudyError(f"the file {missing} is missing", where=f"federation {folder.name}",
                         todo="Restore the folder 'certificates' from a copy")
    return files


def _renewed(folder: FederationFolder) -> Certificates:
    """The server's certificate, made anew when it is about to end: no site notices, since the authority stays."""
    files = _certificates(folder)
    if not _runs(folder) and certificate_days(files.certificate) < SOON_DAYS:
        return make_certificates(folder.certificates, [split_address(folder.address)[0]])
    return files


def _runs(folder: FederationFolder) -> Any:
    """The server's process, or None."""
    return _launch("find_superlink")(folder.path)


def _launch(name: str) -> Any:
    """A function of the module that starts the server and talks to it; it loads Flower."""
    return load(f"medomicslab_nb.federated.launch:{name}")

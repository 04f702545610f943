"""Start and stop the programs of a federation: its server at the coordinator, a node at each site."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from medomicslab_nb.errors import RunError
from medomicslab_nb.federated.certificates import Certificates, make_certificates, make_keys
from medomicslab_nb.federated.control import Node, nodes, register_node, unregister_node
from medomicslab_nb.federated.deploy import DeployTransport
from medomicslab_nb.federated.processes import Running, environment, find, start, stop
from medomicslab_nb.federated.server_home import HOME, SETTINGS, Server, read_secret
from medomicslab_nb.federated.supernode import SETTINGS as NODE_SETTINGS, STATUS, NodeSettings
from medomicslab_nb.files import write_json

__all__ = ["Certificates", "DeployTransport", "Node", "Running", "find_superlink", "find_supernode",
           "make_certificates", "make_keys", "nodes", "register_node", "run_supernode", "start_superlink",
           "start_supernode", "stop", "supernode_status", "unregister_node"]

_SUPERNODE = "medomicslab_nb.federated.supernode"
_PATIENCE_S = 60.0


def start_superlink(folder: Path, host: str, port: int, certificates: Certificates) -> Running:
    """Start a federation's server, or find it running; it answers when this returns.

    Parameters
    ----------
    folder : Path
        The federation's; the server lives in ``server`` inside of it, and knows the sites again after a restart.
    host : str
        Address at which it listens; ``0.0.0.0``: every one of this machine.

    Raises
    ------
    RunError
        It does not come up, the message gives its log's last line; or it runs already, at another address.
    """
    home = Path(folder).resolve() / HOME
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    read_secret(home)
    settings = {"host": host, "port": port, **{name: str(Path(path).resolve()) for name, path
                                               in asdict(certificates).items()}}
    _check_same(home, settings)
    write_json(home / SETTINGS, settings)
    running = start("superlink", home, "medomicslab_nb.federated.superlink", [str(home)])
    server = Server.of(folder)
    end = time.monotonic() + _PATIENCE_S
    while running.alive and time.monotonic() < end:
        if _listens(server.address):
            return running
        time.sleep(0.1)
    stop(running)
    raise RunError(f"the federation's server did not come up: {_last_line(running.log)}", where=server.address,
                   todo=f"See its log: {running.log}")


def _check_same(home: Path, settings: dict[str, Any]) -> None:
    if find("superlink", home) is None:
        return
    known = json.loads((home / SETTINGS).read_bytes())
    if known != settings:
        raise RunError(f"it runs already, at {known['host']}:{known['port']}", where="federation server",
                       todo="Stop it first: medomicslab federation stop DIR")


def find_superlink(folder: Path) -> Running | None:
    """The server of a federation's folder, if it runs."""
    return find("superlink", Path(folder).resolve() / HOME)


def start_supernode(home: Path, superlink: str, ca: Path, private_key: Path, study: Path, site: str, *,
                    opener: str = "") -> Running:
    """Start a site's node, or find it running. It reaches the server when it can: see :func:`supernode_status`."""
    home = Path(home).resolve()
    _write_settings(home, superlink, ca, private_key, study, site, opener)
    return start("supernode", home, _SUPERNODE, [str(home)])


def run_supernode(home: Path, superlink: str, ca: Path, private_key: Path, study: Path, site: str, *,
                  opener: str = "") -> NoReturn:
    """Become a site's node until the process is ended, e.g. as a service of the machine.

    The process is replaced by a new one with the same number, in which nothing is loaded that a node does not need.

    Raises
    ------
    RunError
        The node runs already.
    """
    home = Path(home).resolve()
    running = find_supernode(home)
    if running is not None and running.pid != os.getpid():
        raise RunError(f"the site takes part already, as process {running.pid}", where=f"site {site}",
                       todo="Stop that one first")
    _write_settings(home, superlink, ca, private_key, study, site, opener)
    os.execve(sys.executable, [sys.executable, "-m", _SUPERNODE, str(home)], environment(home))


def find_supernode(home: Path) -> Running | None:
    """The node of this home, if it runs."""
    return find("supernode", Path(home).resolve())


def supernode_status(home: Path) -> dict[str, Any]:
    """How a site's node stands.

    Returns
    -------
    dict
        state ("connected", "waiting" or "stopped"), words (what it waits for), time (since when, as seconds since
        1970) and node (the server's number of it, as text; None before it was there).
    """
    stopped: dict[str, Any] = {"state": "stopped", "words": "the site's node does not run", "time": None, "node": None}
    try:
        known: dict[str, Any] = json.loads((Path(home) / STATUS).read_bytes())
    except (OSError, ValueError):
        known = {"state": "waiting", "words": "the site's node is starting", "time": None, "node": None}
    return known if find_supernode(home) is not None else {**stopped, "node": known["node"]}


def _write_settings(home: Path, superlink: str, ca: Path, private_key: Path, study: Path, site: str,
                    opener: str) -> None:
    from medomicslab_nb.federated.approval import code_hash

    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    study = Path(study).resolve()
    settings = NodeSettings(superlink, str(Path(ca).resolve()), str(Path(private_key).resolve()), str(study), site,
                            code_hash(), str(study / "site" / "audit.jsonl"), **({"opener": opener} if opener else {}))
    write_json(home / NODE_SETTINGS, asdict(settings))


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=1):
            return True
    except OSError:
        return False


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.exists() else []
    return lines[-1] if lines else "it says nothing"

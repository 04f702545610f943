"""The folder of a federation's server: where it is reached, and the secret that opens it."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from medomicslab_nb.errors import RunError

HOME = "server"
"""The server's folder inside of the federation's."""

SETTINGS = "superlink.json"
START = "Type: medomicslab federation start DIR"

_FILE = "secret"
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


@dataclass(frozen=True)
class Server:
    """Where a federation's server is reached from its own machine.

    Attributes
    ----------
    home : Path
    address : str
        ``HOST:PORT``.
    ca : Path
        Certificate of the federation's authority.
    """

    home: Path
    address: str
    ca: Path

    @classmethod
    def of(cls, federation: Path) -> Server:
        """The server of a federation's folder.

        Raises
        ------
        RunError
            It was never started.
        """
        home = Path(federation) / HOME
        try:
            settings = json.loads((home / SETTINGS).read_bytes())
        except FileNotFoundError:
            raise RunError("the federation's server was never started", where=Path(federation).name,
                           todo=START) from None
        host = _EVERYWHERE.get(settings["host"], settings["host"])
        return cls(home, f"[{host}]:{settings['port']}" if ":" in host else f"{host}:{settings['port']}",
                   Path(settings["ca"]))


def read_secret(home: Path) -> bytes:
    """The federation's secret, made when there is none."""
    path = home / _FILE
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as stream:
            stream.write(secrets.token_hex(32))
    return path.read_bytes()

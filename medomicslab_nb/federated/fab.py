"""The Flower app (FAB) under which runs are started: a name for the code that is installed, and no code itself.

Coordinator and sites have the package installed. What Flower carries from one to the other is only compared: a site
never runs anything that was sent to it.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass

from medomicslab_nb import __version__

_BORN = (1980, 1, 1, 0, 0, 0)
_PROJECT = """\
[project]
name = "medomicslab-federated"
version = "{version}"
description = "Runs the installed medomicslab_nb"
license = "Apache-2.0"
dependencies = ["medomicslab-nb=={version}"]

[tool.flwr.app]
publisher = "medomicslab"

[tool.flwr.app.components]
serverapp = "medomicslab_nb.federated.server_app:app"
clientapp = "medomicslab_nb.federated.client_app:app"

[tool.flwr.app.config]
code = "{code}"
"""


@dataclass(frozen=True)
class Fab:
    """A Flower app.

    Attributes
    ----------
    content : bytes
    hash : str
        sha256, by which Flower names it.
    """

    content: bytes
    hash: str


def make_fab(code: str) -> Fab:
    """The app that stands for the code with this hash; the same on every machine."""
    project = _PROJECT.format(version=_version(), code=code).encode()
    listed = f"pyproject.toml,{hashlib.sha256(project).hexdigest()},{len(project) * 8}"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as file:  # compressed, bytes would depend on the zlib
        for name, content in (("pyproject.toml", project), (".info/CONTENT", listed.encode())):
            file.writestr(zipfile.ZipInfo(name, _BORN), content)
    return Fab(stream.getvalue(), hashlib.sha256(stream.getvalue()).hexdigest())


def _version() -> str:
    return __version__.split("+")[0]

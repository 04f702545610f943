"""One round of a simulation or of a deployment, as a program whose system calls are watched."""

import functools
import sys
import tempfile
from pathlib import Path

from medomicslab_nb.federated.flower import LocalTransport
from medomicslab_nb.federated.ray_backend import RayTransport
from tests.federated.running_federation import letter, replies, running_federation
from tests.federated.stand_in_site import EchoSite

SITES = ("Basel", "Bern")


def local(_root: Path):
    with LocalTransport({name: EchoSite(Path(name)) for name in SITES}) as transport:
        return replies(transport.ask(dict.fromkeys(SITES, letter(number=1)), 60))


def ray(_root: Path):
    with RayTransport({name: functools.partial(EchoSite, Path(name)) for name in SITES}) as transport:
        return replies(transport.ask(dict.fromkeys(SITES, letter(number=1)), 120))


def deploy(root: Path):
    with running_federation(root, SITES) as federation, federation.transport() as transport:
        return replies(transport.ask(dict.fromkeys(SITES, letter(number=1)), 60))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        found = globals()[sys.argv[1]](Path(folder))
        print(sorted((site, reply.values["number"]) for site, reply in found.items()))

"""A federation of this machine's own processes: a server and a node for each site, all ended afterwards."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from medomicslab_nb.federated.launch import (
    Certificates,
    DeployTransport,
    Running,
    make_certificates,
    make_keys,
    register_node,
    start_superlink,
    start_supernode,
    stop,
    supernode_status,
)
from medomicslab_nb.federated.messages import Letter, Reply

ECHO = "tests.federated.stand_in_site:EchoSite"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def letter(**values) -> bytes:
    return Letter("run", 1, "schema", "", "{}", "code", values).pack()


@dataclass
class Federation:
    root: Path
    port: int
    certificates: Certificates
    ids: dict[str, int] = field(default_factory=dict)
    nodes: dict[str, Running] = field(default_factory=dict)
    link: Running | None = None

    @property
    def folder(self) -> Path:
        return self.root / "federation"

    def site(self, name: str) -> Path:
        return self.root / name / "site"

    def start_link(self) -> None:
        self.link = start_superlink(self.folder, "127.0.0.1", self.port, self.certificates)

    def start(self, name: str, *, register: bool = True, ca: Path | None = None) -> Running:
        private = self.site(name) / "keys" / "private.pem"
        if not private.exists():
            self.site(name).mkdir(parents=True)
            private, public = make_keys(self.site(name) / "keys")
            if register:
                self.ids[name] = register_node(self.folder, public)
        self.nodes[name] = start_supernode(self.site(name) / "flower", f"127.0.0.1:{self.port}",
                                           ca or self.certificates.ca, private, self.root / name, name, opener=ECHO)
        return self.nodes[name]

    def status(self, name: str) -> dict:
        return supernode_status(self.site(name) / "flower")

    def wait_for(self, name: str, words: str, patience_s: float = 40) -> str:
        """What the node says, as soon as it holds these words."""
        end = time.monotonic() + patience_s
        while words not in (said := self.status(name)["words"]) and time.monotonic() < end:
            time.sleep(0.1)
        assert words in said, f"{name}: {said}\n{self.nodes[name].log.read_text()[-2000:]}"
        return said

    def transport(self) -> DeployTransport:
        return DeployTransport(self.folder, self.ids)

    def stop(self) -> None:
        for running in [*self.nodes.values(), *filter(None, [self.link])]:
            stop(running)


@contextmanager
def running_federation(root: Path, sites: tuple[str, ...]) -> Iterator[Federation]:
    certificates = make_certificates(root / "federation" / "certificates", ["127.0.0.1"])
    federation = Federation(root, free_port(), certificates)
    try:
        federation.start_link()
        for name in sites:
            federation.start(name)
        for name in sites:
            federation.wait_for(name, "connected")
        yield federation
    finally:
        federation.stop()


def replies(asked) -> dict[str, Reply]:
    return {site: Reply.unpack(reply) for site, reply in asked}

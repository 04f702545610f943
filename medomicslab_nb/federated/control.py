"""The coordinator's side of the federation's server: which keys it knows, who is there, and the run in it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from flwr.proto.control_pb2 import ListNodesRequest, RegisterNodeRequest, UnregisterNodeRequest
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.error import ApiErrorCode, FlowerError
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext
from flwr.supercore.runtime import RuntimeHttpClient

from medomicslab_nb.errors import RunError, SettingsError
from medomicslab_nb.federated.certificates import load_public_key
from medomicslab_nb.federated.server_home import START, Server, read_secret

_T = TypeVar("_T")
_TRIES, _PAUSE_S = 3, 0.3
_ACQUIRE = "/flwr.proto.Runtime/AcquireTask"


@dataclass(frozen=True)
class Node:
    """A site as the server knows it.

    Attributes
    ----------
    id : int
    public_key : bytes
        As PEM.
    online : bool
    since : str
        Since when it is there, or when it came last; ISO 8601, empty if never.
    """

    id: int
    public_key: bytes
    online: bool
    since: str


class Bearer:
    """Shows the federation's secret with every request."""

    def __init__(self, secret: bytes) -> None:
        self._value = f"Bearer {secret.decode()}"

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        context.request.headers["authorization"] = self._value
        return call_next(context)


class Again:
    """Tries a request again that was lost on its way. Flower's own way to do so ends the process in some cases."""

    def invoke(self, send: Callable[..., _T], *arguments: Any) -> _T:
        for left in range(_TRIES - 1, -1, -1):
            try:
                return send(*arguments)
            except httpx.TransportError:
                if not left:
                    raise
                time.sleep(_PAUSE_S)
        raise AssertionError


@contextmanager
def direct() -> Iterator[None]:
    """Clients that are made meanwhile do not go through the proxy of the environment: the server is on this machine."""
    before = os.environ.get("no_proxy")
    os.environ["no_proxy"] = "*"
    try:
        yield
    finally:
        if before is None:
            del os.environ["no_proxy"]
        else:
            os.environ["no_proxy"] = before


def control_client(server: Server) -> ControlHttpClient:
    """Registers keys and starts runs."""
    with direct():
        return ControlHttpClient.from_server_address(
            server.address, False, server.ca.read_bytes(),  # noqa: FBT003  (not without TLS)
            [RuntimeVersionHttpInterceptor(component_name="flwr CLI"), Bearer(read_secret(server.home))],
            retry_invoker=Again())  # type: ignore[arg-type]


def runtime_client(server: Server) -> RuntimeHttpClient:
    """Takes over a run that was started."""
    signed = SuperExecAuthHttpInterceptor(master_secret=read_secret(server.home), protected_methods={_ACQUIRE})
    with direct():
        return RuntimeHttpClient.from_server_address(
            server.address, False, server.ca.read_bytes(),  # noqa: FBT003  (not without TLS)
            [RuntimeVersionHttpInterceptor(component_name="SuperExec"), signed],
            retry_invoker=Again())  # type: ignore[arg-type]


def register_node(folder: Path, public_key: Path) -> int:
    """Make a site's key known to the server; gives the number of its node, the one it has where it is known already.

    Raises
    ------
    SettingsError
        The file is no public key of a site.
    RunError
        The server does not answer.
    """
    key = load_public_key(public_key)
    server = Server.of(folder)
    with control_client(server) as control, said(server):
        known = {node.id for node in _nodes(control) if node.public_key == key}
        return known.pop() if known else int(control.RegisterNode(RegisterNodeRequest(public_key=key)).node_id)


def unregister_node(folder: Path, node_id: int) -> None:
    """Make the server forget a site's key: from then on it is refused.

    Raises
    ------
    SettingsError
        The server does not know the node.
    RunError
        The server does not answer.
    """
    server = Server.of(folder)
    with control_client(server) as control, said(server):
        control.UnregisterNode(UnregisterNodeRequest(node_id=node_id))


def nodes(folder: Path) -> list[Node]:
    """The sites that the server knows.

    Raises
    ------
    RunError
        The server does not answer.
    """
    server = Server.of(folder)
    with control_client(server) as control, said(server):
        return _nodes(control)


def _nodes(control: ControlHttpClient) -> list[Node]:
    found = control.ListNodes(ListNodesRequest()).nodes_info
    return [Node(info.node_id, bytes(info.public_key), info.status == "online", info.last_activated_at)
            for info in found if info.status != "unregistered"]


@contextmanager
def said(server: Server) -> Iterator[None]:
    """Turns what goes wrong with the server into what a person can act upon.

    Raises
    ------
    RunError
        It does not answer, or refuses.
    SettingsError
        It does not know the node.
    """
    where = f"federation server at {server.address}"
    try:
        yield
    except httpx.TransportError as error:
        raise RunError(f"it does not answer ({type(error).__name__})", where=where,
                       todo=f"{START}. Then run again with the same settings: the rounds before are kept") from error
    except httpx.HTTPStatusError as error:
        told = FlowerError.from_json(error.response.text)
        if told is not None and told.code == ApiErrorCode.NODE_NOT_FOUND:
            raise SettingsError("it knows no such site", where=where) from error
        words = told.message if told is not None else f"status {error.response.status_code}"
        raise RunError(f"it refuses: {words}", where=where, todo="Its log (server/superlink.log) says why") from error

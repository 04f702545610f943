"""The node of a site: a Flower SuperNode in one small process, which runs nothing but what is installed at the site.

It speaks Flower's Fleet protocol with Flower's own client (TLS, every request signed with the site's key) and hands
letters to the site's ClientApp. Flower's own program would run, for each letter anew, the code that the coordinator
sends; this one compares its name with that of the installed code and refuses any other.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import httpx
from flwr.app import Context, Error, Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.common.constant import ErrorCode
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import ObjectTree
from flwr.proto.node_pb2 import Node
from flwr.proto.run_pb2 import GetRunRequest
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_protobuf_utils import (
    make_confirm_message_received_fn_protobuf,
    make_pull_object_fn_protobuf,
    make_push_object_fn_protobuf,
)
from flwr.supercore.inflatable.inflatable_utils import (
    ObjectPullError,
    ObjectPushError,
    pull_and_inflate_object_from_tree,
    push_objects,
)
from flwr.supercore.interceptors.http.runtime_version import RuntimeVersionHttpInterceptor
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.federated.audit import AuditLog, Entry
from medomicslab_nb.federated.certificates import load_private_key
from medomicslab_nb.federated.client_app import STUDY, app, site_of_node
from medomicslab_nb.federated.fab import make_fab
from medomicslab_nb.federated.flower import SITE
from medomicslab_nb.federated.node_faults import in_words
from medomicslab_nb.federated.processes import claim
from medomicslab_nb.federated.site_process import OPENER
from medomicslab_nb.files import write_json

SETTINGS = "supernode.json"
STATUS = "status.json"

_BEAT_S, _BEATS_EVERY_S = 10, 3.0  # the shortest that Flower takes; two beats missed, and the site counts as away
_PAUSES_S = (0.2, 1.0, 2.0, 5.0, 10.0)  # between attempts to reach the server
_PAUSES_AFTER = ((0.15, 5), (0.3, 60), (1.0, 600), (2.0, float("inf")))  # between questions for letters: s, after s
_BACKOFF_S = 0.05  # before asking again for a part of a letter that is still under way; Flower waits a second
_PARTS_S = 30.0  # how long the rest of a letter is waited for; its coordinator may have been killed
_SHORT = 12
log = logging.getLogger("medomicslab.site")


@dataclass(frozen=True)
class NodeSettings:
    """What a node is started with.

    Attributes
    ----------
    superlink : str
        ``HOST:PORT`` of the federation's server.
    ca, private_key : str
        Files: certificate of the federation's authority, and the site's key.
    study, site : str
        Path of the study, and the name under which the site takes part.
    code : str
        Hash of the code that was installed when it was started.
    audit : str
        The site's audit log.
    opener : str
        ``module:function`` that opens the site of a study's path.
    """

    superlink: str
    ca: str
    private_key: str
    study: str
    site: str
    code: str
    audit: str
    opener: str = OPENER


class SuperNode:
    """The node of one site.

    Parameters
    ----------
    home : Path
        Where it keeps its state.
    settings : NodeSettings
    """

    def __init__(self, home: Path, settings: NodeSettings) -> None:
        self._home, self._settings = home, settings
        self._fab = make_fab(settings.code)
        self._audit = AuditLog(Path(settings.audit))
        self._contexts: dict[int, Context] = {}
        self._refused: dict[int, str] = {}
        self._config = {SITE: settings.site, STUDY: settings.study, "opener": settings.opener}
        self._words = ""
        self._worked = time.monotonic()

    def run(self) -> NoReturn:
        """Serve the site for ever: a server that is away, or does not know the site yet, is tried again."""
        failures = 0
        while True:
            try:
                with self._client() as client:
                    node = self._activate(client)
                    self._say("connected", f"connected to the federation's server at {self._settings.superlink}", node)
                    failures = 0
                    self._stay(client, node)
            except Exception as error:  # whatever it was, the site is there again in a moment
                if not isinstance(error, (httpx.HTTPError, OSError, MedomicsError)):
                    log.exception("unexpected")
                self._say("waiting", f"{self._settings.superlink}: {in_words(error)}")
            time.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
            failures += 1

    def _client(self) -> FleetHttpClient:
        key = load_private_key(Path(self._settings.private_key))
        self._public_key = public_key_to_bytes(key.public_key())
        return FleetHttpClient.from_server_address(
            self._settings.superlink, False, Path(self._settings.ca).read_bytes(),  # noqa: FBT003  (not without TLS)
            [RuntimeVersionHttpInterceptor(component_name="SuperNode"), NodeAuthHttpInterceptor(key, key.public_key())])

    def _activate(self, client: FleetHttpClient) -> Node:
        """Take the site's place at the server, also where it was left without a word."""
        known = self._known_node()
        if known is not None:
            with suppress(httpx.HTTPStatusError):  # it was away already, or the server does not know it any more
                client.DeactivateNode(DeactivateNodeRequest(node_id=known))
        answer = client.ActivateNode(ActivateNodeRequest(public_key=self._public_key, heartbeat_interval=_BEAT_S))
        return Node(node_id=answer.node_id)

    def _known_node(self) -> int | None:
        try:
            known = json.loads((self._home / STATUS).read_bytes())["node"]
        except (OSError, ValueError, KeyError):
            return None
        return None if known is None else int(known)

    def _stay(self, client: FleetHttpClient, node: Node) -> None:
        """Serve until the connection is lost; who is told to end says so to the server."""
        try:
            self._serve(client, node)
        except (SystemExit, KeyboardInterrupt):
            site_of_node(self._context(0, node)).end()
            with suppress(httpx.HTTPError):
                client.DeactivateNode(DeactivateNodeRequest(node_id=node.node_id))
            raise

    def _serve(self, client: FleetHttpClient, node: Node) -> None:
        over = threading.Event()
        failed: list[Exception] = []
        beats = threading.Thread(target=self._beat, args=(client, node, over, failed), daemon=True)
        beats.start()
        try:
            while not failed:
                asked = client.PullMessages(PullMessagesRequest(node=node))
                if asked.messages_list:
                    self._receive(client, node, asked.messages_list[0], asked.message_object_trees[0])
                    self._worked = time.monotonic()
                else:
                    site_of_node(self._context(0, node)).rest()
                    over.wait(_pause(time.monotonic() - self._worked))
            raise failed[0]
        finally:
            over.set()
            beats.join()

    def _beat(self, client: FleetHttpClient, node: Node, over: threading.Event, failed: list[Exception]) -> None:
        while not over.is_set():
            try:
                client.SendNodeHeartbeat(SendNodeHeartbeatRequest(node=node, heartbeat_interval=_BEAT_S))
            except httpx.HTTPError as error:
                failed.append(error)
                return
            over.wait(_BEATS_EVERY_S)

    def _receive(self, client: FleetHttpClient, node: Node, proto: Any, tree: ObjectTree) -> None:
        message = message_from_proto(proto)
        begin = time.monotonic()
        try:
            refusal = self._refusal(client, node, message)
            if refusal:
                reply = Message(Error(ErrorCode.INVALID_FAB, refusal), reply_to=message)
            else:
                reply = app(_pulled(client, node, message, tree), self._context(message.metadata.run_id, node))
            _push(client, node, reply, time.monotonic() - begin)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.FORBIDDEN:
                raise
            log.info("run %s is over: its letter is dropped", message.metadata.run_id)
        except (ObjectPullError, ObjectPushError) as error:
            log.warning("a letter of run %s is dropped: %s", message.metadata.run_id, error)

    def _context(self, run: int, node: Node) -> Context:
        if run not in self._contexts:
            self._contexts[run] = Context(run, node.node_id, dict(self._config), RecordDict(), {})
        return self._contexts[run]

    def _refusal(self, client: FleetHttpClient, node: Node, message: Message) -> str:
        """Why nothing is answered in this run, or nothing when it was started for the installed code."""
        run = message.metadata.run_id
        if run not in self._refused:
            fab = client.GetRun(GetRunRequest(node=node, run_id=run)).run.fab_hash
            self._refused[run] = "" if fab == self._fab.hash else (
                f"this site runs only the code that is installed and approved here (code "
                f"{self._settings.code[:_SHORT]}, app {self._fab.hash[:_SHORT]}); the run is of the app {fab[:_SHORT]}")
        if self._refused[run]:
            log.warning("run %s: %s", run, self._refused[run])
            self._audit.append(Entry("refused", str(run), 0, "", self._refused[run], 0, 0, "", self._settings.code, ""))
        return self._refused[run]

    def _say(self, state: str, words: str, node: Node | None = None) -> None:
        if words == self._words:
            return
        self._words = words
        log.info(words)
        write_json(self._home / STATUS, {"state": state, "words": words, "time": time.time(),
                                         "node": self._known_node() if node is None else str(node.node_id)})


def _pulled(client: FleetHttpClient, node: Node, message: Message, tree: ObjectTree) -> Message:
    run = message.metadata.run_id
    pulled = pull_and_inflate_object_from_tree(
        tree, make_pull_object_fn_protobuf(client.PullObject, node, run),
        make_confirm_message_received_fn_protobuf(client.ConfirmMessageReceived, node, run), return_type=Message,
        initial_backoff=_BACKOFF_S, backoff_cap=1.0, max_time=_PARTS_S)
    pulled.metadata.__dict__["_message_id"] = tree.object_id
    return pulled


def _push(client: FleetHttpClient, node: Node, reply: Message, took_s: float) -> None:
    run = reply.metadata.run_id
    reply.metadata.__dict__["_message_id"] = reply.object_id
    with no_object_id_recompute():
        head = message_to_proto(remove_content_from_message(reply) if reply.has_content() else reply)
        answer = client.PushMessages(PushMessagesRequest(
            node=node, messages_list=[head], message_object_trees=[get_object_tree(reply)],
            clientapp_runtime_list=[took_s]))
        push_objects(get_all_nested_objects(reply),
                     make_push_object_fn_protobuf(client.PushObject, node, run, answer.session_id),
                     object_ids_to_push=set(answer.objects_to_push))


def _pause(idle_s: float) -> float:
    """How long to wait before asking for letters again: rounds follow each other quickly, runs do not."""
    return next(pause for pause, longest in _PAUSES_AFTER if idle_s < longest)


def serve(home: Path) -> NoReturn:
    """Run the node of this home for ever."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    claim("supernode", home)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    settings = NodeSettings(**json.loads((home / SETTINGS).read_bytes()))
    SuperNode(home, settings).run()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))

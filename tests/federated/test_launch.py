"""A federation of real processes on this machine, encrypted and with keys, and what becomes of it when parts die."""

import hashlib
import json
import re
import ssl
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import psutil
import pytest
from flwr.cli.config_utils import get_fab_metadata
from flwr.clientapp import ClientApp
from flwr.common.config import get_fab_config
from flwr.proto.control_pb2 import StopRunRequest
from flwr.proto.fleet_pb2 import PullMessagesRequest
from flwr.serverapp import ServerApp
from flwr.supercore.protobuf.constants import PROTOBUF_MEDIA_TYPE

from medomicslab_nb.errors import RunError, SettingsError
from medomicslab_nb.federated import supernode
from medomicslab_nb.federated.audit import AuditLog
from medomicslab_nb.federated.certificates import load_public_key
from medomicslab_nb.federated.client_app import site_of_node
from medomicslab_nb.federated.control import control_client, runtime_client
from medomicslab_nb.federated.deploy import installed_fab
from medomicslab_nb.federated.fab import make_fab
from medomicslab_nb.federated.launch import (
    make_certificates,
    make_keys,
    nodes,
    register_node,
    start_superlink,
    stop,
    unregister_node,
)
from medomicslab_nb.federated.node_faults import in_words
from medomicslab_nb.federated.processes import Running, find, start
from medomicslab_nb.federated.server_home import Server
from medomicslab_nb.processes import born
from medomicslab_nb.stages import load
from tests.federated.running_federation import free_port, letter, replies, running_federation

SITES = ("Basel", "Bern", "Chur", "Genf")


@pytest.fixture(scope="module")
def federation(tmp_path_factory):
    with running_federation(tmp_path_factory.mktemp("federation"), SITES) as found:
        yield found


@pytest.fixture
def transport(federation):
    with federation.transport() as found:
        yield found


def everyone(**values):
    return dict.fromkeys(SITES, letter(**values))


def test_four_sites_answer_over_tls_with_their_keys(transport):
    replies(transport.ask(everyone(number=1), 60))  # the sites' processes start
    begin = time.monotonic()
    found = replies(transport.ask(everyone(number=2), 60))
    assert {site: (reply.site, reply.values["number"], reply.refused) for site, reply in found.items()} == {
        site: (site, 2, "") for site in SITES}
    assert time.monotonic() - begin < 12


def test_a_waiting_site_takes_less_than_200_megabytes(federation, transport):
    replies(transport.ask(everyone(), 60))
    for running in federation.nodes.values():
        assert sum(process.memory_info().rss for process in running.processes()) < 200 * 2**20


def test_what_is_large_travels(transport):
    import numpy as np

    weights = np.arange(500_000, dtype=float)
    found = replies(transport.ask({"Basel": letter(weights=weights)}, 60))
    assert np.array_equal(found["Basel"].values["weights"], weights)


def test_a_site_that_crashes_is_named_and_answers_the_next_letter(transport):
    found = replies(transport.ask(everyone(crash="Bern"), 60))
    assert "ended with code 11" in found["Bern"].refused
    assert [site for site, reply in found.items() if reply.refused] == ["Bern"]
    assert not replies(transport.ask({"Bern": letter()}, 60))["Bern"].refused


def test_a_slow_site_is_missing_after_the_deadline(transport):
    letters = {"Bern": letter(takes_s=3), "Chur": letter()}
    assert list(replies(transport.ask(letters, 2))) == ["Chur"]
    assert replies(transport.ask({"Bern": letter(number=5)}, 60))["Bern"].values["number"] == 5


def test_a_killed_site_is_missing_and_is_asked_again_when_it_is_back(federation, transport):
    letters = {"Bern": letter(takes_s=2), "Chur": letter()}
    asked = transport.ask(letters, 3)
    assert next(asked)[0] == "Chur"
    _kill(federation.nodes["Bern"])  # in the middle of its round
    assert list(asked) == []

    threading.Timer(1, federation.start, ["Bern"]).start()
    assert replies(transport.ask({"Bern": letter(number=3)}, 60))["Bern"].values["number"] == 3
    federation.wait_for("Bern", "connected")


def test_a_site_that_is_started_anew_in_its_round_answers_it_all_the_same(federation, transport):
    asked = transport.ask({"Genf": letter(takes_s=1, number=4), "Chur": letter()}, 60)
    assert next(asked)[0] == "Chur"
    _kill(federation.nodes["Genf"])
    federation.start("Genf")
    assert replies(asked)["Genf"].values["number"] == 4


def test_a_server_that_dies_is_named_and_goes_on_with_the_same_sites(federation, transport):
    replies(transport.ask({"Chur": letter()}, 60))
    threading.Timer(0.7, _kill, [federation.link]).start()
    with pytest.raises(RunError, match=r"federation server at .* does not answer.*federation start"):
        list(transport.ask({"Chur": letter(takes_s=5)}, 60))
    with pytest.raises(RunError, match="does not answer"):
        nodes(federation.folder)
    federation.start_link()
    assert {node.id for node in nodes(federation.folder)} >= set(federation.ids.values())
    found = replies(transport.ask(everyone(number=6), 60))
    assert {site: reply.values.get("number") for site, reply in found.items()} == dict.fromkeys(SITES, 6)


def test_half_a_reply_holds_up_nobody_and_is_asked_for_again(federation, transport, monkeypatch):
    stop(federation.nodes["Basel"])
    asked = transport.ask({"Basel": letter(number=8), "Chur": letter(takes_s=1)}, 60)
    failing = threading.Thread(target=_send_half_of_a_reply, args=(federation.site("Basel") / "flower", monkeypatch))
    failing.start()
    begin = time.monotonic()
    assert next(asked)[0] == "Chur"
    assert time.monotonic() - begin < 20
    failing.join()
    monkeypatch.undo()
    federation.start("Basel")
    assert replies(asked)["Basel"].values["number"] == 8


def _send_half_of_a_reply(home, monkeypatch):
    """What a node does that is killed while it sends: the reply is announced, and its parts never come."""
    monkeypatch.setattr(supernode, "push_objects", lambda *_arguments, **_named: None)
    node = supernode.SuperNode(home, supernode.NodeSettings(**json.loads((home / supernode.SETTINGS).read_bytes())))
    with node._client() as client:
        place = node._activate(client)
        while not (asked := client.PullMessages(PullMessagesRequest(node=place))).messages_list:
            time.sleep(0.1)
        node._receive(client, place, asked.messages_list[0], asked.message_object_trees[0])
    site_of_node(node._context(0, place)).end()


_COORDINATOR = """
import sys
from pathlib import Path
from tests.federated.running_federation import letter
from medomicslab_nb.federated.deploy import DeployTransport
for site, _ in DeployTransport(Path(sys.argv[1]), {"Chur": int(sys.argv[2])}).ask({"Chur": letter(takes_s=1)}, 60):
    print(site, flush=True)
sys.stdin.read()
"""


def test_a_coordinator_that_is_killed_leaves_the_way_free_for_the_next(federation, transport):
    coordinator = subprocess.Popen([sys.executable, "-c", _COORDINATOR, federation.folder, str(federation.ids["Chur"])],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with coordinator:
        assert coordinator.stdout.readline() == "Chur\n"
        coordinator.kill()
    assert replies(transport.ask({"Chur": letter(number=7)}, 60))["Chur"].values["number"] == 7


def test_a_run_that_the_server_has_given_up_begins_anew(federation, transport):
    replies(transport.ask({"Chur": letter()}, 60))
    server = Server.of(federation.folder)
    with control_client(server) as control:
        control.StopRun(StopRunRequest(run_id=transport._grid.run.run_id))
    assert replies(transport.ask({"Chur": letter(number=9)}, 60))["Chur"].values["number"] == 9


def test_two_runs_at_once_do_not_take_each_others_answers(federation, transport):
    with federation.transport() as other:
        first = transport.ask({"Bern": letter(number=1, takes_s=1), "Chur": letter(number=1)}, 60)
        begun = next(first)
        second = replies(other.ask({"Bern": letter(number=2), "Chur": letter(number=2)}, 60))
        assert {reply.values["number"] for reply in second.values()} == {2}
        assert {reply.values["number"] for reply in replies([begun, *first]).values()} == {1}


# Who is let in

def test_a_site_that_is_not_registered_is_refused_and_told_what_to_do(federation):
    federation.start("Lugano", register=False)
    assert "public.pem" in federation.wait_for("Lugano", "does not know this site's key")
    stop(federation.nodes["Lugano"])
    assert federation.status("Lugano")["state"] == "stopped"


def test_a_server_with_another_authority_is_told_nothing(federation, tmp_path):
    other = make_certificates(tmp_path, ["127.0.0.1"])
    federation.start("Sion", register=False, ca=other.ca)
    assert "Nothing was sent" in federation.wait_for("Sion", "not the federation's server")
    stop(federation.nodes["Sion"])


def test_a_site_that_is_struck_off_is_refused_from_then_on(federation, transport):
    federation.start("Thun")
    federation.wait_for("Thun", "connected")
    with pytest.raises(RunError, match="site Thun"):
        list(transport.ask({"Thun": letter()}, 60))  # this run's list of sites is older
    unregister_node(federation.folder, federation.ids["Thun"])
    federation.wait_for("Thun", "does not know this site's key")
    with pytest.raises(SettingsError, match="no such site"):
        unregister_node(federation.folder, federation.ids.pop("Thun"))
    stop(federation.nodes["Thun"])


@pytest.mark.parametrize("ahead_s, words", [(600, r"(600|601) s ahead of"), (-600, r"(599|600) s behind"),
                                            (0, "public.pem")])
def test_a_clock_that_is_wrong_is_told(ahead_s, words):
    server = format_datetime(datetime.now(UTC) - timedelta(seconds=ahead_s), usegmt=True)
    response = httpx.Response(401, headers={"date": server}, request=httpx.Request("POST", "https://server"))
    said = in_words(httpx.HTTPStatusError("", request=response.request, response=response))
    assert re.search(words, said)


def test_a_key_is_registered_once(federation):
    assert register_node(federation.folder, federation.site("Bern") / "keys" / "public.pem") == federation.ids["Bern"]


@pytest.mark.parametrize("path", ["control/list-nodes", "control/start-run", "control/register-node",
                                  "runtime/acquire-task", "runtime/push-messages", "fleet/pull-messages"])
def test_nothing_is_open_to_whoever_reaches_the_port(federation, path):
    context = ssl.create_default_context(cafile=str(federation.certificates.ca))
    head = {"content-type": PROTOBUF_MEDIA_TYPE, "accept": PROTOBUF_MEDIA_TYPE}
    for shown in ({}, {"authorization": "Bearer guess"}):
        answer = httpx.post(f"https://127.0.0.1:{federation.port}/v1/{path}", headers={**head, **shown}, verify=context)
        assert answer.status_code == 401, answer.text


@pytest.mark.parametrize("path", ["docs", "openapi.json"])
def test_the_server_describes_itself_to_nobody(federation, path):
    context = ssl.create_default_context(cafile=str(federation.certificates.ca))
    assert httpx.get(f"https://127.0.0.1:{federation.port}/{path}", verify=context).status_code == 404


def test_nothing_goes_over_the_line_in_the_clear(federation):
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"http://127.0.0.1:{federation.port}/v1/fleet/pull-messages")


def test_the_secret_is_for_its_owner_only(federation):
    for path in ("server/secret", "certificates/ca.key", "certificates/server.key"):
        assert (federation.folder / path).stat().st_mode & 0o777 == 0o600
    assert (federation.site("Bern") / "keys" / "private.pem").stat().st_mode & 0o777 == 0o600


# What runs at a site

def test_a_site_runs_no_app_but_its_own(federation, monkeypatch):
    fab = make_fab("another code")
    monkeypatch.setattr("medomicslab_nb.federated.deploy.installed_fab", lambda: fab)
    with federation.transport() as transport:
        refused = replies(transport.ask(everyone(), 60))["Basel"].refused
    assert installed_fab().hash[:12] not in refused.partition("of the app")[2]
    assert fab.hash[:12] in refused and "code" in refused
    log = AuditLog(federation.site("Basel") / "audit.jsonl")
    assert log.read()["words"].iloc[-1] == refused and log.read()["event"].iloc[-1] == "refused"
    assert log.verify() == 1


def test_flower_can_read_the_app_and_load_what_it_names():
    config = get_fab_config(make_fab("a").content)
    parts = config["tool"]["flwr"]["app"]["components"]
    assert isinstance(load(parts["clientapp"]), ClientApp) and isinstance(load(parts["serverapp"]), ServerApp)
    assert get_fab_metadata(make_fab("a").content)[0] == "medomicslab/medomicslab-federated"


def test_the_app_is_the_same_everywhere_and_another_for_other_code():
    assert make_fab("a") == make_fab("a") != make_fab("b")
    assert make_fab("a").hash == hashlib.sha256(make_fab("a").content).hexdigest()


# Programs

def test_only_what_was_started_is_stopped(tmp_path):
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with bystander:
        birth = born(bystander.pid)
        stop(Running("superlink", tmp_path, bystander.pid, f"{birth}0"))  # its number was another program's before
        assert bystander.poll() is None
        stop(Running("superlink", tmp_path, bystander.pid, birth))
        assert not psutil.pid_exists(bystander.pid)


def test_a_program_is_found_again_and_not_started_twice(federation):
    running = federation.nodes["Chur"]
    assert find("supernode", running.home) == running
    assert federation.start("Chur") == running


def test_a_server_is_not_started_at_two_addresses(federation):
    federation.start_link()  # the same one again
    with pytest.raises(RunError, match="runs already"):
        start_superlink(federation.folder, "127.0.0.1", free_port(), federation.certificates)
    assert len(nodes(federation.folder)) >= len(SITES)


def test_a_proxy_of_the_environment_is_not_used_on_this_machine(federation, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    with federation.transport() as transport:
        assert list(replies(transport.ask({"Chur": letter()}, 60))) == ["Chur"]


def test_a_server_that_cannot_start_says_why(tmp_path):
    certificates = make_certificates(tmp_path / "certificates", ["127.0.0.1"])
    certificates.key.write_text("no key")
    with pytest.raises(RunError, match="did not come up"):
        start_superlink(tmp_path, "127.0.0.1", free_port(), certificates)


def test_a_program_that_is_none_says_so(tmp_path):
    running = start("supernode", tmp_path, "medomicslab_nb.federated.no_such_module")
    end = time.monotonic() + 10
    while running.alive and time.monotonic() < end:
        time.sleep(0.05)
    assert find("supernode", tmp_path) is None
    assert "no_such_module" in running.log.read_text()


def test_an_authority_outlives_its_servers_certificate(tmp_path):
    first = make_certificates(tmp_path, ["hospital.example"])
    before = first.ca.read_bytes(), first.certificate.read_bytes()
    make_certificates(tmp_path, ["10.0.0.7"])
    assert first.ca.read_bytes() == before[0] and first.certificate.read_bytes() != before[1]


def test_a_key_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "public.pem"
    path.write_text("-----BEGIN PUBLIC KEY-----\nnot one\n-----END PUBLIC KEY-----\n")
    with pytest.raises(SettingsError, match="no public key of a site"):
        load_public_key(path)
    with pytest.raises(RunError, match="never started"):
        register_node(tmp_path, make_keys(tmp_path)[1])


# What these modules lean on in Flower: another minor may change any of it.

def test_flower_still_has_what_the_node_and_the_server_are_made_of():
    from flwr.supercore.inflatable.inflatable_utils import pull_and_inflate_object_from_tree
    from flwr.superlink.config_loader import SuperLinkLifespanConfig
    from flwr.superlink.grid import HttpGrid
    from flwr.supernode.fleet_http_client import FleetHttpClient

    assert {"initial_backoff", "backoff_cap", "max_time"} <= set(pull_and_inflate_object_from_tree.__kwdefaults__)
    assert {"ActivateNode", "DeactivateNode", "SendNodeHeartbeat", "PullMessages", "PushMessages", "GetRun",
            "PullObject", "PushObject", "ConfirmMessageReceived"} <= set(dir(FleetHttpClient))
    assert {"enable_supernode_auth", "authn_plugin", "superexec_auth_secret", "isolation", "database"} <= set(
        SuperLinkLifespanConfig.__dataclass_fields__)
    assert HttpGrid("127.0.0.1:1", True, None, token="t")._retry_invoker is not None


def test_clients_try_again_what_was_lost_on_the_way(federation):
    server = Server.of(federation.folder)
    with control_client(server) as control, runtime_client(server) as runtime:
        for client in (control, runtime):
            begin = time.monotonic()
            client._base_url = f"https://127.0.0.1:{free_port()}"
            with pytest.raises(httpx.ConnectError):
                client._unary_unary(path="/", rpc_method="", request=_Nothing(), response_type=_Nothing)
            assert 0.5 < time.monotonic() - begin < 10


class _Nothing:
    def SerializeToString(self, deterministic):
        return b""


def _kill(running: Running) -> None:
    """As when the machine fails: no goodbye."""
    for process in running.processes():
        process.kill()
    psutil.wait_procs(running.processes(), timeout=5)



"""Nothing but this machine is spoken to: each backend under strace, and in a network of its own without a way out."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ANSWER = "[('Basel', 1), ('Bern', 1)]"

_CALLS = "connect,sendto,sendmsg,sendmmsg"
_ADDRESS = re.compile(r'sin_addr=inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
_HERE = re.compile(r"127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+")


def one_round(backend: str, *before: str) -> str:
    done = subprocess.run([*before, sys.executable, "-m", "tests.federated.one_round", backend], cwd=ROOT, text=True,
                          capture_output=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip().splitlines()[-1]


def contacted(trace: Path) -> tuple[set[str], set[str]]:
    """Addresses on this machine and elsewhere that any of the processes turned to."""
    found = {first or second for first, second in _ADDRESS.findall(trace.read_text())}
    here = {address for address in found if _HERE.fullmatch(address)}
    return here, found - here


@pytest.mark.parametrize("backend", ["local", "ray", "deploy"])
def test_only_this_machine_is_contacted(backend, tmp_path):
    trace = tmp_path / "trace"
    watched = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", f"trace={_CALLS}", "-e", "signal=none", "-o", str(trace))
    assert one_round(backend, *watched) == ANSWER
    here, elsewhere = contacted(trace)
    assert not elsewhere
    assert bool(here) == (backend != "local")  # in process nothing is contacted at all


def test_a_contact_elsewhere_would_be_seen(tmp_path):
    trace = tmp_path / "trace"
    asks = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('192.0.2.1', 9)); "
            "s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.connect(('::1', 9))")
    subprocess.run(["strace", "-f", "--seccomp-bpf", "-qq", "-e", f"trace={_CALLS}", "-o", str(trace), sys.executable,
                    "-c", asks], check=True, timeout=60)
    assert contacted(trace) == ({"::1"}, {"192.0.2.1"})


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["ray", "deploy"])
def test_no_network_is_needed(backend):
    alone = ("unshare", "--net", "--map-root-user", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    assert one_round(backend, *alone) == ANSWER

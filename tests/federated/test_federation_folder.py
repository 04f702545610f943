"""A coordinator's folder: who is invited, whose key has come, what is refused."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from medomicslab_nb.errors import RunError, SettingsError, StudyError
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
from medomicslab_nb.federated.invitation import Invitation
from tests.federated.test_site_folder import CA


@pytest.fixture
def federation(tmp_path: Path) -> FederationFolder:
    return create_federation(tmp_path / "hn", "", "127.0.0.1:9092")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return new_key(tmp_path / "public.pem")


def new_key(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def test_a_federation_comes_back_as_it_was_made(federation: FederationFolder):
    found = open_federation(federation.path)
    assert (found.name, found.address, dict(found.sites)) == ("hn", "127.0.0.1:9092", {})
    assert stat.S_IMODE(federation.path.stat().st_mode) == 0o700


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(StudyError, match="not empty"):
        create_federation(tmp_path / "mine", "", "127.0.0.1:9092")


def test_without_an_address_nothing_is_made(tmp_path: Path):
    with pytest.raises(SettingsError, match="HOST:PORT"):
        create_federation(tmp_path / "hn", "", "127.0.0.1")
    assert not (tmp_path / "hn").exists()


def test_what_is_no_federation_says_what_to_type(tmp_path: Path):
    with pytest.raises(StudyError, match="federation new hn"):
        open_federation(tmp_path / "hn")


def test_an_invitation_says_where_and_whom(federation: FederationFolder):
    path = invite(federation, "CHUM", CA)
    assert Invitation.read(path) == Invitation("hn", "CHUM", "127.0.0.1:9092", CA)
    assert open_federation(federation.path).sites == {"CHUM": Member()}


def test_an_invitation_written_again_keeps_the_key(federation: FederationFolder, key: Path):
    invite(federation, "CHUM", CA)
    registered = register(open_federation(federation.path), "CHUM", key)
    invite(registered, "CHUM", CA)
    assert open_federation(federation.path).sites["CHUM"].key == key_fingerprint(key.read_bytes())


@pytest.mark.parametrize(("site", "message"), [("../CHUM", "letters, digits"), ("chum", "more than capitals")])
def test_names_that_would_be_mixed_up_are_refused(federation: FederationFolder, site: str, message: str):
    invite(federation, "CHUM", CA)
    with pytest.raises(SettingsError, match=message):
        invite(open_federation(federation.path), site, CA)


def test_a_key_is_known_by_its_fingerprint_however_it_is_written(federation: FederationFolder, key: Path):
    spaced = key.read_bytes().replace(b"\n", b"\r\n")
    assert key_fingerprint(spaced) == key_fingerprint(key.read_bytes())


def test_the_key_of_a_site_that_was_not_invited_is_refused(federation: FederationFolder, key: Path):
    invite(federation, "CHUM", CA)
    with pytest.raises(SettingsError, match=r"'CHUS' was not invited.*Did you mean 'CHUM'"):
        register(open_federation(federation.path), "CHUS", key)


def test_two_sites_with_one_key_are_refused(federation: FederationFolder, key: Path):
    for site in ("CHUM", "HGJ"):
        invite(federation, site, CA)
    registered = register(open_federation(federation.path), "CHUM", key)
    with pytest.raises(SettingsError, match="the site 'CHUM' has this key"):
        register(registered, "HGJ", key)


def test_a_new_key_is_another_node(federation: FederationFolder, key: Path, tmp_path: Path):
    invite(federation, "CHUM", CA)
    folder = register(open_federation(federation.path), "CHUM", key)
    folder = folder.update("CHUM", lambda member: replace(member, node=7))
    assert folder.node_ids() == {"CHUM": 7}
    assert register(folder, "CHUM", key).node_ids() == {"CHUM": 7}
    assert register(folder, "CHUM", new_key(tmp_path / "second.pem")).sites["CHUM"].node is None


def test_a_site_that_the_server_does_not_know_yet_is_not_left_out_in_silence(federation: FederationFolder, key: Path):
    invite(federation, "CHUM", CA)
    folder = register(open_federation(federation.path), "CHUM", key)
    with pytest.raises(RunError, match="site CHUM: the federation's server does not know"):
        folder.node_ids()


def test_a_site_that_is_invited_only_is_no_part_of_a_run(federation: FederationFolder):
    invite(federation, "CHUM", CA)
    assert open_federation(federation.path).node_ids() == {}


def test_a_private_key_that_was_sent_by_mistake_is_refused_and_not_kept(federation: FederationFolder, tmp_path: Path):
    invite(federation, "CHUM", CA)
    secret = ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "private.pem").write_bytes(secret)
    with pytest.raises(SettingsError, match="private key, which must not leave"):
        register(open_federation(federation.path), "CHUM", tmp_path / "private.pem")
    assert not federation.key("CHUM").exists()


def test_what_is_no_key_is_refused(federation: FederationFolder, tmp_path: Path):
    invite(federation, "CHUM", CA)
    (tmp_path / "note.txt").write_text("see attachment")
    with pytest.raises(SettingsError, match="no public key"):
        register(open_federation(federation.path), "CHUM", tmp_path / "note.txt")
    with pytest.raises(SettingsError, match="cannot be read"):
        register(open_federation(federation.path), "CHUM", tmp_path / "missing.pem")


def test_a_site_that_is_removed_leaves_nothing_behind(federation: FederationFolder, key: Path):
    for site in ("CHUM", "HGJ"):
        invite(federation, site, CA)
    register(open_federation(federation.path), "CHUM", key)
    left = remove(open_federation(federation.path), "CHUM")
    assert list(left.sites) == list(open_federation(federation.path).sites) == ["HGJ"]
    assert not left.key("CHUM").exists()
    assert [path.name for path in (left.path / "invitations").iterdir()] == ["HGJ.yaml"]
    with pytest.raises(SettingsError, match="'CHUM' was not invited"):
        remove(left, "CHUM")


def test_invitations_written_at_once_are_all_there(federation: FederationFolder):
    names = [f"site{number}" for number in range(12)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda name: invite(federation, name, CA), names))
    assert sorted(open_federation(federation.path).sites) == sorted(names)

"""A site's folder: made from an invitation, edited by hand, read with care."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from medomicslab_nb.errors import ProtectionError, SettingsError, StudyError
from medomicslab_nb.federated.invitation import Invitation, certificate_fingerprint, split_address
from medomicslab_nb.federated.settings import PolicySettings
from medomicslab_nb.federated.site_folder import SiteFolder, create_site, read_site
from medomicslab_nb.study import create_study

# A certificate of nobody: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=nobody
CA = """-----BEGIN CERTIFICATE-----
MIIBeTCCAR+gAwIBAgIUfrSevvaJAalAkNMnwCnnUwZfgLAwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGbm9ib2R5MCAXDTI2MTEyNzA0MDEzOFoYDzIxMjYxMTAzMDQw
MTM4WjARMQ8wDQYDVQQDDAZub2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AATR2XNPxx0ACxrf57IGwLKrWAOeykmHMuzIoZ0xUu1BBBUJGUby8cAAFXaVJ/an
kWjBrvT2eDvKHYp7J/7awNzqo1MwUTAdBgNVHQ4EFgQU8CN90V1IYtbHPZAM0UYe
syi8P3cwHwYDVR0jBBgwFoAU8CN90V1IYtbHPZAM0UYesyi8P3cwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiBY1qW+wHATkohJ84YzsbWueNPfI7bX
q7DshVIvXQPZywIhANlRvLZwmmirNhUIjSdYqx6yb5cWLRdEL/rMpKluutpK
-----END CERTIFICATE-----
"""
FINGERPRINT = ("37:53:48:C8:A8:56:EC:CE:5B:26:43:DF:1A:53:E9:AD:"
               "0D:4A:F2:0C:8C:0F:26:AA:45:CA:23:00:50:2A:8C:98")


@pytest.fixture
def invitation() -> Invitation:
    return Invitation("hn", "CHUM", "127.0.0.1:9092", CA)


@pytest.fixture
def site(tmp_path: Path, invitation: Invitation) -> SiteFolder:
    create_study(tmp_path / "study")
    return create_site(tmp_path / "study", invitation, PolicySettings(minimum_count=10))


def test_an_invitation_comes_back_as_it_was_written(tmp_path: Path, invitation: Invitation):
    invitation.write(tmp_path / "CHUM.yaml")
    assert Invitation.read(tmp_path / "CHUM.yaml") == invitation


def test_an_invitation_holds_no_secret(tmp_path: Path, invitation: Invitation):
    invitation.write(tmp_path / "CHUM.yaml")
    assert "PRIVATE" not in (tmp_path / "CHUM.yaml").read_text()


def test_the_fingerprint_is_what_openssl_prints(invitation: Invitation):
    assert invitation.fingerprint == FINGERPRINT


@pytest.mark.parametrize("change", [{"address": "nowhere"}, {"site": "../other"}, {"ca": "none"}])
def test_an_incomplete_invitation_is_refused(tmp_path: Path, change: dict[str, str]):
    Invitation(**{"federation": "hn", "site": "A", "address": "a:1", "ca": CA, **change}).write(tmp_path / "i.yaml")
    with pytest.raises(StudyError, match="not complete"):
        Invitation.read(tmp_path / "i.yaml")


@pytest.mark.parametrize(("text", "host", "port"), [("fed.example.org:9092", "fed.example.org", 9092),
                                                    ("[::1]:443", "::1", 443)])
def test_addresses_are_a_host_and_a_port(text: str, host: str, port: int):
    assert split_address(text) == (host, port)


@pytest.mark.parametrize("text", ["fed.example.org", ":9092", "host:0", "host:70000", "https://host:9092", "a b:1"])
def test_what_is_no_address_is_refused(text: str):
    with pytest.raises(SettingsError, match="HOST:PORT"):
        split_address(text)


def test_what_is_no_certificate_has_no_fingerprint():
    with pytest.raises(SettingsError, match="certificate"):
        certificate_fingerprint("-----BEGIN NOTHING-----")


def test_a_site_comes_back_as_it_was_made(site: SiteFolder):
    assert read_site(site.study_path) == site
    assert site.policy.minimum_count == 10
    assert site.ca.read_text() == CA


def test_only_its_owner_reads_a_site_folder(site: SiteFolder):
    assert stat.S_IMODE(site.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(site.keys.stat().st_mode) == 0o700
    assert stat.S_IMODE((site.path / "site.yaml").stat().st_mode) == 0o600


def test_a_second_site_in_one_study_is_refused(site: SiteFolder, invitation: Invitation):
    with pytest.raises(StudyError, match="is the site 'CHUM' already"):
        create_site(site.study_path, invitation, PolicySettings())


def test_a_site_needs_a_study(tmp_path: Path, invitation: Invitation):
    with pytest.raises(StudyError, match="no study folder"):
        create_site(tmp_path / "nothing", invitation, PolicySettings())
    assert not (tmp_path / "nothing").exists()


def test_a_study_that_is_no_site_says_what_to_type(tmp_path: Path):
    create_study(tmp_path / "study")
    with pytest.raises(StudyError, match="medomicslab site init study"):
        read_site(tmp_path / "study")


def edit(site: SiteFolder, old: str, new: str) -> None:
    path = site.path / "site.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(("old", "new", "message"), [
    ("minimum_count:", "minimun_count:", "unknown setting 'minimun_count', did you mean 'minimum_count'"),
    ("minimum_count: 10", "minimum_count: 0", "'minimum_count': input should be greater"),
    ("algorithms: []", "algorithms: [magic]", "'algorithms.0'"),
    ("address: 127.0.0.1:9092", "address: 127.0.0.1", "is no address"),
    ("site: CHUM", "site: ''", "'site' is missing"),
    ("site: CHUM", "site: ../CHUM", "letters, digits"),
])
def test_a_slip_in_the_file_is_named(site: SiteFolder, old: str, new: str, message: str):
    edit(site, old, new)
    with pytest.raises(SettingsError, match=message):
        read_site(site.study_path)


def test_a_rule_that_is_left_out_has_its_default(site: SiteFolder):
    edit(site, "  minimum_patients: 20\n", "")
    assert read_site(site.study_path) == site


def test_a_damaged_file_is_no_default(site: SiteFolder):
    (site.path / "site.yaml").write_text("policy: {")
    with pytest.raises(StudyError, match="damaged"):
        read_site(site.study_path)


def test_a_private_key_is_its_owners_only(site: SiteFolder):
    with pytest.raises(ProtectionError, match="missing"):
        site.check_key()
    site.private_key.write_text("secret")
    site.private_key.chmod(0o640)
    with pytest.raises(ProtectionError, match="chmod 600"):
        site.check_key()
    site.private_key.chmod(0o600)
    site.check_key()

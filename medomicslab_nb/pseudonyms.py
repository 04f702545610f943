"""Pseudonyms, new UIDs and shifted dates, all from one secret key that is kept outside of the study.

The same key always gives the same pseudonym, so that images, tables and notes of one patient still belong together,
whenever they are added. Without the key nobody can tell whose they are; who has it can compute them again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from medomicslab_nb.errors import DataError, ProtectionError
from medomicslab_nb.files import FORMAT_PREFIX, read_document, write_yaml

KEY_BYTES = 32
LONGEST_SHIFT_DAYS = 365

_LETTERS = 10  # 50 bits: two of 10,000 patients share a pseudonym with probability 4e-8
_WELL_KNOWN = re.compile(r"1\.2\.840\.10008(\.\d{1,4})+")  # longer numbers behind this root are not the standard's
_FORMAT_VERSION = 1
_BINDING = "pseudonyms.yaml"


@dataclass(frozen=True)
class Key:
    """The secret from which pseudonyms are computed (HMAC-SHA256)."""

    secret: bytes = field(repr=False)

    def pseudonym(self, patient: str) -> str:
        """``P-`` and ten letters and digits, at least one of them a digit; spaces around the identifier do not count.

        Raises
        ------
        DataError
            The identifier is empty: all patients without one would become one patient.
        """
        name = patient.strip()
        if not name:
            raise DataError("there is no patient identifier to make a pseudonym of", where="de-identification",
                            todo="Give every patient an identifier")
        attempt = 0
        while True:
            digest = self._digest("patient", name, str(attempt))
            text = base64.b32encode(digest).decode()[:_LETTERS]
            # A pseudonym with a digit can be told from a word (protect.distinctive).
            if any(letter.isdigit() for letter in text):
                return f"P-{text}"
            attempt += 1

    def uid(self, uid: str) -> str:
        """A new UID (``2.25.`` and a number of 128 bits); those that the DICOM standard itself defines are kept."""
        if not uid or _WELL_KNOWN.fullmatch(uid):
            return uid
        return f"2.25.{int.from_bytes(self._digest('uid', uid)[:16])}"

    def shift_days(self, patient: str) -> int:
        """Days to add to every date of the patient, -365 to -1; times of day stay, and so do intervals."""
        number = int.from_bytes(self._digest("shift", patient.strip())[:8])
        return -1 - number % LONGEST_SHIFT_DAYS

    @property
    def fingerprint(self) -> str:
        """Tells one key from another, and nothing of either."""
        return self._digest("fingerprint").hex()[:32]

    def _digest(self, *parts: str) -> bytes:
        return hmac.new(self.secret, "\0".join(parts).encode(), hashlib.sha256).digest()


def new_key(path: str | Path) -> Path:
    """Make a key file that only its owner can read.

    Raises
    ------
    DataError
        The file exists (a lost key cannot be made again), or cannot be written.
    ProtectionError
        It would lie inside a study, and would be shared with it.
    """
    path = Path(path).expanduser()
    refuse_inside_study(path)
    content = {"format": FORMAT_PREFIX + "key", "format_version": _FORMAT_VERSION,
               "key": secrets.token_hex(KEY_BYTES)}
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise DataError("the file exists; a key that is overwritten cannot be made again", where=f"file {path.name}",
                        todo="Choose another name") from None
    except OSError as error:
        raise DataError(f"the key cannot be written ({error.strerror})", where=f"file {path.name}",
                        todo="Choose a folder that exists and that you may write to") from None
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        yaml.safe_dump(content, stream, sort_keys=False)
        stream.flush()
        os.fsync(stream.fileno())
    return path


def read_key(path: str | Path) -> Key:
    """The key of a file that :func:`new_key` made.

    Raises
    ------
    StudyError
        The file is missing, or no key file.
    DataError
        Its key is damaged.
    ProtectionError
        It lies inside a study.
    """
    path = Path(path).expanduser()
    refuse_inside_study(path)
    content = read_document(path, "key", _FORMAT_VERSION)
    try:
        secret = bytes.fromhex(str(content.get("key", "")))
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise DataError("the key is damaged", where=f"file {path.name}",
                        todo="Restore it from a copy: another key gives other pseudonyms")
    return Key(secret)


def refuse_inside_study(path: Path) -> None:
    """Refuse a key file in a study folder, or anywhere below one.

    Raises
    ------
    ProtectionError
    """
    if any((folder / "study.yaml").exists() for folder in path.resolve().parents):
        raise ProtectionError("the key lies inside a study: who gets the study could undo the pseudonyms",
                              where=f"file {path.name}", todo="Keep it outside, in a folder that only you can read")


def bind(study_folder: Path, key: Key, patients: Iterable[str], known: Collection[str]) -> None:
    """Note which key a study's pseudonyms come from; later additions must use the same one.

    Parameters
    ----------
    study_folder : Path
    key : Key
    patients : iterable of str
        Identifiers that are about to become pseudonyms.
    known : collection of str
        Identifiers in the study.

    Raises
    ------
    DataError
        The study's pseudonyms come from another key, or it holds some of the patients under their own identifiers:
        one patient would be two.
    """
    path = study_folder / _BINDING
    if path.exists() and read_document(path, "pseudonyms", _FORMAT_VERSION).get("key") != key.fingerprint:
        raise DataError("the study's pseudonyms come from another key: the same patients would get other ones",
                        where="de-identification", todo="Use the key with which the study was begun")
    identified = sum(patient.strip() in known for patient in set(patients))
    if identified:
        raise DataError(f"{identified} of the patients are in the study already, under their own identifiers",
                        where="de-identification", todo="Begin a new study, and de-identify everything that is added")
    if not path.exists():
        write_yaml(path, {"format": FORMAT_PREFIX + "pseudonyms", "format_version": _FORMAT_VERSION,
                          "key": key.fingerprint})


def is_bound(study_folder: Path) -> bool:
    """Whether a study holds pseudonyms: what was added to it was de-identified."""
    return (study_folder / _BINDING).exists()


def refuse_identified(study_folder: Path, patients: Iterable[str], known: Collection[str]) -> None:
    """Refuse patients under their own identifiers in a study of pseudonyms.

    Raises
    ------
    ProtectionError
        The study is de-identified, and it does not know any of the patients.
    """
    if is_bound(study_folder) and not set(patients) & set(known):
        raise ProtectionError("the study is de-identified, and these patients are not known in it", where="study",
                              todo="Give --deidentify with the study's key")

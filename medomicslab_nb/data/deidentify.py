"""De-identification on import: DICOM objects copied by an allow-list, tables with pseudonyms and shifted dates.

What stays is what nobody can decide by rule: names of other people in notes, faces in head images, rare diagnoses.
The flags and notes that come back say where to look.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pandas as pd
from pandas.api import types
from pydicom.dataset import Dataset

from medomicslab_nb.data.dicom_copy import BurnedInText, Copier, quiet
from medomicslab_nb.data.dicom_names import identifying_words
from medomicslab_nb.data.importing import PreparedTable
from medomicslab_nb.data.text_dates import shift_text
from medomicslab_nb.errors import DataError, MedomicsError, ProtectionError
from medomicslab_nb.files import write_folder
from medomicslab_nb.imaging.dicom_headers import read_header
from medomicslab_nb.parallel import CaseResult, cores, map_cases
from medomicslab_nb.progress import Progress
from medomicslab_nb.protect import distinctive, identifiers_in
from medomicslab_nb.pseudonyms import Key, bind
from medomicslab_nb.study import Study

AUDIT_COLUMNS = ("tag", "name", "action", "n")
FLAG_COLUMNS = ("patient", "modality", "flag", "finding", "n")
LEFT_OUT_COLUMNS = ("reason", "n")

_HEAD = re.compile(r"(?i)head|brain|skull|neck|face|orbit|sinus|nasoph|oroph|whole|wb\b|tete|tête|crane|crâne|cou\b|"
                   r"orl\b|corps entier|encephal|encéphal")
_WHOLE_BODY_MM = 800.0
_FEW_ROWS = 10
_COMPACT = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_MANY = 800  # files; below, starting processes takes longer than it saves
_PERSONAL = re.compile(r"(?i)((patient|pat|subject)[_ ]?)?((last|first|family|full|maiden|given)?[_ ]?name|surname|"
                       r"nom([_ ](de[_ ]naissance|(du[_ ])?patient|usuel|marital))?|pr[ée]nom([_ ](du[_ ])?patient)?|"
                       r"address|adresse|e?[_ -]?mail|(tele)?phone|"
                       r"t[ée]l([ée]phone)?|ssn|nss|ipp|nip|mrn|iban|nir)")


# -- tables ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DeidentifiedTable:
    """A table with pseudonyms, and in whole sentences what was done and what was not."""

    frame: pd.DataFrame
    notes: tuple[str, ...]


def deidentify_table(frame: pd.DataFrame, id_column: str, key: Key) -> DeidentifiedTable:
    """Pseudonyms for identifiers, and all dates of a patient moved by the same number of days.

    Dates are moved in date columns and inside texts (see :func:`text_dates.shift_text`). Identifiers of the table's
    patients inside texts become pseudonyms. Columns whose name says that they hold names or addresses are left out.

    Raises
    ------
    DataError
        There is no such column, or an identifier is missing.
    """
    if id_column not in frame.columns or not frame[id_column].map(lambda value: isinstance(value, str)).all():
        raise DataError(f"the column '{id_column}' of identifiers is missing or not complete", where="table",
                        todo="Give every row its patient's identifier, as text")
    personal = [str(name) for name in frame.columns if name != id_column and _PERSONAL.fullmatch(str(name).strip())]
    frame = frame.drop(columns=personal)
    pseudonyms = {patient: key.pseudonym(patient) for patient in frame[id_column].unique()}
    days = frame[id_column].map({patient: key.shift_days(patient) for patient in pseudonyms})
    texts = []
    shifted = frame.copy()
    for name in frame.columns.drop(id_column):
        if types.is_datetime64_any_dtype(frame[name]):
            shifted[name] = (frame[name] + pd.to_timedelta(days, unit="D")).astype(frame[name].dtype)
        elif _holds_compact_dates(frame[name]):
            shifted[name] = _moved_compact_dates(frame[name], days)
        elif not types.is_numeric_dtype(frame[name]):
            shifted[name] = _clean_texts(frame[name], days, pseudonyms)
            texts += [str(name)] if types.is_string_dtype(frame[name]) else []
    shifted[id_column] = frame[id_column].map(pseudonyms)
    return DeidentifiedTable(shifted, _notes(personal, texts, _all_different(shifted.drop(columns=id_column))))


def deidentify_prepared(study: Study, table: PreparedTable, key: Key) -> PreparedTable:
    """A table that was read and is not stored yet, de-identified; its dictionary loses what was left out.

    Raises
    ------
    DataError
        As :func:`deidentify_table`; also when the study's pseudonyms come from another key.
    ProtectionError
        Columns are named by patients of the study.
    """
    known = study.identifiers()
    named = sum(key.pseudonym(name) in known for name in table.columns if name.strip())
    if named:
        raise ProtectionError(f"{named} columns are named by patients", where=f"table {table.name}",
                              todo="Turn the table, so that each patient is a row")
    result = deidentify_table(table.frame, study.id_column, key)
    bind(study.path, key, table.frame[study.id_column].unique(), known)
    columns = {name: column for name, column in table.columns.items() if name in result.frame.columns}
    return replace(table, frame=result.frame, columns=columns, notes=(*table.notes, *result.notes))


def _holds_compact_dates(column: pd.Series) -> bool:
    """Whether all values are dates such as 20210430, as numbers or as text."""
    values = column.dropna()
    # The first one decides for nearly every column: tables may have twenty thousand.
    if not len(values) or not _COMPACT.fullmatch(_as_digits(values.iloc[0])):
        return False
    return all(_COMPACT.fullmatch(_as_digits(value)) for value in values)


def _as_digits(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value).strip()


def _moved_compact_dates(column: pd.Series, days: pd.Series) -> pd.Series:
    moved = [shift_text(_as_digits(value), int(shift), compact=True) if pd.notna(value) else value
             for value, shift in zip(column.astype(object), days, strict=True)]
    if types.is_numeric_dtype(column):
        moved = [int(value) if isinstance(value, str) else value for value in moved]
    return pd.Series(moved, index=column.index, name=column.name).astype(
        "category" if isinstance(column.dtype, pd.CategoricalDtype) else column.dtype)


def _clean_texts(column: pd.Series, days: pd.Series, pseudonyms: Mapping[str, str]) -> pd.Series:
    known = distinctive(frozenset(pseudonyms))
    cleaned = [_clean_text(value, int(shift), pseudonyms, known) if isinstance(value, str) else
               value + dt.timedelta(days=int(shift)) if isinstance(value, dt.date) and not pd.isna(value) else value
               for value, shift in zip(column.astype(object), days, strict=True)]
    result = pd.Series(cleaned, index=column.index, name=column.name)
    kind = "category" if isinstance(column.dtype, pd.CategoricalDtype) else column.dtype
    return result.astype(kind)


def _clean_text(text: str, days: int, pseudonyms: Mapping[str, str], known: frozenset[str]) -> str:
    for identifier in identifiers_in(text, known):
        text = re.sub(rf"(?<!\w){re.escape(identifier)}(?!\w)", pseudonyms[identifier], text)
    return shift_text(text, days)


def _all_different(frame: pd.DataFrame) -> list[str]:
    """Columns of texts or whole numbers of which no value occurs twice: other identifiers look like this."""
    if len(frame) < _FEW_ROWS:
        return []
    return [str(name) for name in frame.columns if frame[name].is_unique and frame[name].notna().all()
            and (types.is_integer_dtype(frame[name]) or types.is_string_dtype(frame[name]))]


def _notes(personal: Sequence[str], texts: Sequence[str], different: Sequence[str]) -> tuple[str, ...]:
    notes = ["Identifiers were replaced by pseudonyms, and dates were shifted."]
    if personal:
        notes.append(f"Columns left out because they name people: {', '.join(personal)}.")
    if texts:
        shown = ", ".join(texts[:10]) + (" and others" if len(texts) > 10 else "")
        notes.append(f"Texts may still name people, places or dates written in other ways; check: {shown}.")
    if different:
        shown = ", ".join(different[:10]) + (" and others" if len(different) > 10 else "")
        notes.append(f"No value occurs twice, as with identifiers; check: {shown}.")
    return tuple(notes)


# -- DICOM -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PatientFiles:
    """The DICOM files of one patient, as groups that each become a folder: the series, and each other object."""

    groups: tuple[tuple[Path, ...], ...]
    target: Path
    key: Key


@dataclass(frozen=True)
class DicomCopies:
    """What became of DICOM files. No table holds a value, a file name or an identifier of the originals.

    Attributes
    ----------
    audit : DataFrame
        ``tag``, ``name``, ``action`` (removed, replaced, new UID, shifted), ``n`` elements.
    flags : DataFrame
        ``patient`` (pseudonym), ``modality``, ``flag``, ``finding``, ``n`` objects: what a person should look at.
    left_out : DataFrame
        ``reason``, ``n``: objects that were not copied.
    folders : tuple of Path
        The folders of the copies, one a series or other object.
    """

    audit: pd.DataFrame
    flags: pd.DataFrame
    left_out: pd.DataFrame
    folders: tuple[Path, ...]


def copy_dicom(patients: Mapping[str, Sequence[Sequence[Path]]], target: Path, key: Key, progress: Progress, *,
               jobs: int = 0) -> DicomCopies:
    """Copy DICOM files into ``target/PSEUDONYM/HASH/NNNN.dcm`` without what identifies their patients.

    A folder appears whole or not at all; the same originals and key give the same folders, which are then kept.

    Parameters
    ----------
    patients : mapping
        Patient identifier to groups of files (a series, an RTSTRUCT, ...).
    target : Path
    key : Key
    jobs : int
        Worker processes; 0 means one per core where there are many files.

    Raises
    ------
    DataError
        The copies of a patient could not be made at all.
    """
    cases = {name: PatientFiles(tuple(map(tuple, groups)), target, key) for name, groups in patients.items()}
    files = sum(len(group) for patient in cases.values() for group in patient.groups)
    jobs = jobs or (cores() if files >= _MANY else 1)
    results = map_cases(_copy_patient, cases, jobs=jobs, progress=progress, label="de-identifying")
    failed = [result.error for result in results.values() if result.error]
    if failed:
        raise DataError(f"the files of {len(failed)} of {len(cases)} patients could not be copied; the first: "
                        f"{failed[0]}", where="de-identification", todo="Correct the cause, then add the folder again")
    folders = [target / name for result in results.values() for name in result.tables["folders"]["folder"]]
    return DicomCopies(_summed(results, "audit", AUDIT_COLUMNS), _summed(results, "flags", FLAG_COLUMNS),
                       _summed(results, "left_out", LEFT_OUT_COLUMNS), tuple(folders))


def _summed(results: Mapping[str, CaseResult], name: str, columns: Sequence[str]) -> pd.DataFrame:
    parts = [result.tables[name] for result in results.values()]
    frame = pd.concat(parts, ignore_index=True) if parts else _table(Counter(), columns)
    return frame.groupby(list(columns[:-1]), as_index=False, sort=True)["n"].sum()


def _copy_patient(patient: PatientFiles) -> dict[str, pd.DataFrame]:
    with quiet():
        words = {word for group in patient.groups for word in identifying_words(read_header(group[0]))}
    copier = Copier(patient.key, words)
    audit: Counter[tuple[str, ...]] = Counter()
    flags: Counter[tuple[str, ...]] = Counter()
    left_out: Counter[tuple[str, ...]] = Counter()
    folders = []
    for group in patient.groups:
        contents, modality = [], _text(group[0], "Modality")
        pseudonym = patient.key.pseudonym(_text(group[0], "PatientID"))
        for path in group:
            try:
                content, changes = copier.copy(path)
            except MedomicsError as error:
                left_out[error.found,] += 1
                if isinstance(error, BurnedInText):
                    flags[pseudonym, modality, "burned-in text", "pixels may show the patient's name; not copied"] += 1
                continue
            contents.append(content)
            audit.update(changes.audit)
            flags.update((pseudonym, modality, *flag) for flag in sorted(changes.flags))
        if contents:
            folders.append(_store(contents, patient.target, pseudonym))
            flags.update((pseudonym, modality, *flag) for flag in _face_flags(group, modality))
    return {"audit": _table(audit, AUDIT_COLUMNS), "flags": _table(flags, FLAG_COLUMNS),
            "left_out": _table(left_out, LEFT_OUT_COLUMNS),
            "folders": pd.DataFrame({"folder": pd.Series(folders, dtype="str")})}


def _text(path: Path, keyword: str) -> str:
    return str(read_header(path, tags=[keyword, "SOPClassUID"]).get(keyword) or "")


def _store(contents: Sequence[bytes], target: Path, pseudonym: str) -> str:
    """Write the files of a series under a name made of their content."""
    digests = "".join(sha256(content).hexdigest() for content in contents)
    name = f"{pseudonym}/{sha256(digests.encode()).hexdigest()[:16]}"
    write_folder(target / name, {f"{number:04d}.dcm": content for number, content in enumerate(contents, 1)})
    return name


def _face_flags(group: Sequence[Path], modality: str) -> list[tuple[str, str]]:
    """Whether a face could be rebuilt from a CT or MR series: of the head by its header, or of the whole body."""
    if modality not in ("CT", "MR"):
        return []
    with quiet():
        first, last = read_header(group[0]), read_header(group[-1])
        words = " ".join(str(first.get(keyword, "")) for keyword in
                         ("BodyPartExamined", "StudyDescription", "SeriesDescription", "ProtocolName"))
        if not _HEAD.search(words) and _extent_mm(first, last) < _WHOLE_BODY_MM:
            return []
    return [("face", "the images may show the face; consider defacing before they are shared")]


def _extent_mm(first: Dataset, last: Dataset) -> float:
    try:
        return abs(float(last.ImagePositionPatient[2]) - float(first.ImagePositionPatient[2]))
    except (AttributeError, IndexError, TypeError, ValueError):
        return 0.0


def _table(counts: Counter[tuple[str, ...]], columns: Sequence[str]) -> pd.DataFrame:
    rows = [(*names, count) for names, count in sorted(counts.items())]
    return pd.DataFrame(rows, columns=list(columns)).astype(dict.fromkeys(columns[:-1], "str") | {"n": "int64"})

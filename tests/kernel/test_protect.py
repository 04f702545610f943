"""Identifiers, secrets, spreadsheet formulas, small cells."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from medomicslab_nb import protect
from medomicslab_nb.errors import ProtectionError

IDS = ["STS-001", "PAT_0012", "123456", "12", "Müller77", "A/B-99x"]


@pytest.mark.parametrize(
    "text",
    [
        "patient STS-001.",
        "/scans/STS-001/ct.dcm",
        "'PAT_0012'",
        "id=123456,",
        "x (Müller77)",
        "STS-001_ct.nii",
        "KeyError: 'STS-001'",
    ],
)
def test_bad_input_85_identifiers_are_found_and_scrubbed(text: str) -> None:
    found = protect.identifiers_in(text, IDS)
    assert len(found) == 1
    clean = protect.scrub(text, IDS)
    assert protect.REDACTED in clean and found[0] not in clean


def test_what_is_no_identifier_is_left_alone() -> None:
    text = "12 of 1234567 patients, STS-0012, PAT_001"
    assert protect.identifiers_in(text, IDS) == ()
    assert protect.scrub(text, IDS) == text


@given(st.text(), st.sampled_from([i for i in IDS if i != "12"]), st.text())
def test_an_identifier_between_blanks_never_survives(before: str, identifier: str, after: str) -> None:
    clean = protect.scrub(f"{before} {identifier} {after}", IDS)
    assert f" {identifier} " not in clean


@pytest.mark.parametrize(
    "settings",
    [
        {"token": "x"},
        {"part": {"api_key": "abc"}},
        {"label": "password: hunter2"},
        {"label": "AKIAABCDEFGHIJKLMNOP"},
        {"label": "-----BEGIN RSA PRIVATE KEY-----"},
        {"names": ["ghp_abcdefghijklmnopqrstu"]},
    ],
)
def test_bad_input_61_secret_in_settings_is_refused_without_repeating_it(settings: dict[str, object]) -> None:
    with pytest.raises(ProtectionError) as error:
        protect.refuse_secrets(settings)
    assert "hunter2" not in str(error.value) and "ghp_" not in str(error.value)


def test_bad_input_85_identifier_in_settings_is_refused_without_repeating_it() -> None:
    with pytest.raises(ProtectionError, match="'label' holds a patient identifier") as error:
        protect.refuse_secrets({"label": "only STS-001"}, IDS)
    assert "STS-001" not in str(error.value)
    protect.refuse_secrets({"label": "all patients", "outcome": "dmfs", "folds": 5, "tokens_per_note": 3}, IDS)


def test_bad_input_84_formulas_are_defused() -> None:
    frame = pd.DataFrame(
        {"=cmd()": ["=1+1", "@SUM(A1)", "+1", "-2", "\t=1", "plain", None], "n": [-1, 2, 3, 4, 5, 6, 7]}
    )
    safe = protect.safe_cells(frame)
    assert list(safe.columns) == ["'=cmd()", "n"]
    assert [cell for cell in safe.iloc[:, 0] if isinstance(cell, str)] == [
        "'=1+1",
        "'@SUM(A1)",
        "'+1",
        "'-2",
        "'\t=1",
        "plain",
    ]
    assert safe["n"].tolist() == frame["n"].tolist()


def test_small_cells_are_hidden() -> None:
    assert [protect.hide_small(n) for n in (0, 1, 4, 5)] == ["0", "< 5", "< 5", "5"]


def test_digits_inside_a_decimal_number_are_no_identifier() -> None:
    assert protect.scrub("2.123456 and 123456.5 but 123456, ct.123456", IDS) == (
        f"2.123456 and 123456.5 but {protect.REDACTED}, ct.{protect.REDACTED}"
    )


def test_scrub_all_reaches_every_text_and_leaves_numbers() -> None:
    content = {"STS-001": [{"a": "see PAT_0012", "n": 123456, "f": 2.123456}]}
    assert protect.scrub_all(content, IDS) == {
        protect.REDACTED: [{"a": f"see {protect.REDACTED}", "n": 123456, "f": 2.123456}]
    }

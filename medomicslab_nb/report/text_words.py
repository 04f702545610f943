"""What a text run did, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from medomicslab_nb.report.wording import count, listed

AID = ("Facts are read by rules: an aid that must be checked against the notes before a decision rests on it. Each "
       "rule's documentation says how often it was right, on which texts.")
DEIDENTIFIED = ("Identifiers in the notes were replaced by rules: an aid. Somebody must read the notes before they "
                "leave the study; they are not anonymous.")


def summary(attributes: pd.DataFrame, metrics: Mapping[str, Any]) -> str:
    """The one sentence to read if only one is read."""
    read = (f"{metrics['notes_read']} of {count(metrics['notes'], 'note')} of {count(metrics['patients'], 'patient')} "
            "read")
    conflicts = int(attributes["conflicts"].sum())
    said = f"; {count(conflicts, 'value')} on which a patient's notes disagree" if conflicts else ""
    return f"{read}: {count(metrics['facts'], 'fact')} of {count(len(attributes), 'attribute')}{said}."


def done(settings: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[str]:
    """What was done, a sentence each."""
    which = listed(settings.get("attributes") or ()) or "every attribute of the catalogue"
    terms = settings.get("terms") or {}
    own = f", and own terms: {listed(terms)}" if terms else ""
    sentences = [f"Read: {which}{own}; of each mention whether it is negated, in doubt, planned, earlier, or a "
                 "relative's.",
                 "A patient's mentions became one value by the policy that the table of attributes names. What nobody "
                 "mentions is missing, what is denied is not."]
    reviewed = metrics.get("facts_reviewed")
    sentences.append(f"{count(reviewed, 'fact')} were decided by annotators." if reviewed
                     else "No fact was reviewed by an annotator.")
    return [*sentences, *([DEIDENTIFIED] if settings.get("deidentify") else []), AID]

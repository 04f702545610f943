"""Settings of the data stage."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from medomicslab_nb.settings import Advanced, Settings, SettingsPart

Scalar = bool | float | str


class Correction(SettingsPart):
    """What to change in one entry of a table's data dictionary; empty fields stay as they are."""

    role: Literal["identifier", "predictor", "outcome", "time", "event", "entry", "cause", "stratum", "date",
                  "index_date", "centre", "ignore"] | None = None
    """What the column is used for; entry: time from which a patient is under observation, cause: what ended
    follow-up, stratum: groups that have their own baseline hazard."""
    type: Literal["number", "integer", "category", "boolean", "text", "date"] | None = None
    """How its values are read."""
    unit: str | None = None
    """Unit of its values, e.g. mm or days."""
    endpoint: str | None = None
    """Endpoint that it belongs to, for the roles outcome, time, event, entry and cause."""
    description: str | None = None
    """What it means, in words."""

    def changes(self) -> dict[str, Any]:
        """The fields that are set."""
        return self.model_dump(exclude_none=True)


class CohortStep(SettingsPart):
    """One inclusion criterion: patients for whom it does not hold, or is not known, are left out."""

    label: str
    """How the flow chart calls the step, e.g. "Age 18 or more"."""
    table: str
    """Table that holds the column."""
    column: str
    """Column that is compared; with several rows a patient, one that fits is enough."""
    keep: Literal[">=", ">", "<=", "<", "==", "!=", "in", "not missing"] = "not missing"
    """Comparison that a patient must pass to stay."""
    value: Scalar | tuple[Scalar, ...] | None = None
    """Value to compare with, in the column's unit; several for "in"; dates as 2021-04-30."""


class DataSettings(Settings):
    """What the data stage looks at, and who belongs to the cohort."""

    stage: ClassVar[str] = "data"

    tables: tuple[str, ...] = ()
    """Tables to look at; empty: all of the study."""
    outcome: str = ""
    """Endpoint or column by which Table 1 is grouped; empty: the first endpoint of the data dictionary."""
    cohort: tuple[CohortStep, ...] = ()
    """Inclusion criteria, applied one after the other; the flow of patients is counted."""
    columns: Annotated[dict[str, dict[str, Correction]], Advanced()] = Field(default_factory=dict)
    """Corrections to the data dictionary for this run: table, then column, then what to change."""

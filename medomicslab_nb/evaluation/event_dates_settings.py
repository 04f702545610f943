"""Settings of an endpoint that is built from dates. Nothing heavy is imported: the command line lists settings."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medomicslab_nb.settings import SettingsPart

TimeUnit = Literal["days", "months", "years"]

DAYS: dict[str, float] = {"days": 1.0, "months": 30.4375, "years": 365.25}
"""Days of each unit of time: mean lengths in the Julian calendar."""


class EventDates(SettingsPart):
    """Date columns that make an endpoint with follow-up.

    Overall survival: events [death]. Progression-free survival: events [progression, death]. Disease-free survival:
    events [relapse, death]. Time to progression: events [progression], competing [death].
    """

    events: Annotated[tuple[str, ...], Field(min_length=1)]
    """Date columns of what counts as the event. The earliest counts; of several on one day, the first of this list."""
    last_contact: str = ""
    """Date column of the last contact; empty: all are followed until the administrative end."""
    anchor: str = ""
    """Date column from which time is counted; empty: the study's index date."""
    competing: tuple[str, ...] = ()
    """Date columns of events after which the event cannot be seen; on the same day the event comes first."""
    entry: str = ""
    """Date column from which a patient is under observation (left truncation); empty: from the anchor."""
    administrative: date | None = None
    """Day on which follow-up ends for everybody; events on that day count."""
    maximum: Annotated[float | None, Field(gt=0)] = None
    """Follow-up ends there for everybody, in the unit below; events at that time count."""
    unit: TimeUnit = "days"
    """Unit of time; a month has 30.4375 days, a year 365.25."""
    table: str = ""
    """Table of the dates; empty: each column is looked for in every table."""

    @model_validator(mode="after")
    def _clear(self) -> Self:
        if not self.last_contact and self.administrative is None:
            raise ValueError("give 'last_contact' or 'administrative': without either, nobody's follow-up ends")
        named = [name for name in (*self.events, *self.competing, self.anchor, self.last_contact) if name]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} cannot be two things at once: give each date one meaning")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named, each once."""
        named = (self.anchor, *self.events, *self.competing, self.last_contact, self.entry)
        return tuple(dict.fromkeys(filter(None, named)))

"""Every class whose fields a form shows, found from the stages."""

from __future__ import annotations

from pydantic import BaseModel

from medomicslab_nb.settings import classes_in
from medomicslab_nb.stages import STAGES
from medomicslab_nb.tables import Column


def settings_classes() -> dict[str, type[BaseModel]]:
    """The settings classes of all stages, the groups nested in them and the data dictionary's entry, by name."""
    found: dict[str, type[BaseModel]] = {}
    waiting: list[type[BaseModel]] = [Column, *(stage.settings_class() for stage in STAGES.values())]
    while waiting:
        cls = waiting.pop()
        if found.setdefault(cls.__name__, cls) is not cls:
            raise AssertionError(f"two settings classes are called {cls.__name__}; texts are found by that name")
        waiting += [part for field in cls.model_fields.values() for part in classes_in(field.annotation)
                    if part.__name__ not in found]
    return found

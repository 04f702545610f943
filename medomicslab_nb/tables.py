"""What a study says of its tables: the data dictionary, how a table is stored, how an input is named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from medomicslab_nb.errors import StudyError
from medomicslab_nb.files import sha256_json
from medomicslab_nb.settings import SettingsPart

if TYPE_CHECKING:
    import pandas as pd

FEATURE = "feature"
"""Column of feature names in a table that is stored one row a feature."""

NOTES = "notes"
"""Block of the tables of clinical notes: a patient may have several of one day; no block of predictors."""

IMAGES = "images"
"""Block of the tables that say where images, contours and doses lie; no block of predictors."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}")


class Column(SettingsPart):
    """One entry of the data dictionary."""

    role: Literal["identifier", "predictor", "outcome", "time", "event", "entry", "cause", "stratum", "date",
                  "index_date", "centre", "ignore"] = "predictor"
    """What the column is used for; entry: time from which a patient is under observation, cause: what ended
    follow-up, stratum: groups that have their own baseline hazard."""
    type: Literal["number", "integer", "category", "boolean", "text", "date"] = "number"
    """How its values are read."""
    unit: str = ""
    """Unit of its values, e.g. ``mm`` or ``days``."""
    endpoint: str = ""
    """Endpoint that it belongs to (roles outcome, time, event, entry and cause); empty: the column's own name, for
    role entry every endpoint with follow-up in its table."""
    description: str = ""
    """What it means, in words."""


@dataclass(frozen=True)
class TableInfo:
    """What a table's YAML file says of it."""

    name: str
    block: str = "clinical"
    """Block of predictors that the table forms: clinical, genes, radiomics, ..."""
    level: Literal["patient", "lesion", "visit"] = "patient"
    """What one row is."""
    id_column: str = "patient"
    date_column: str | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)
    default_column: Column | None = None
    """Entry of every column that ``columns`` does not list (wide omics tables)."""
    source: str = ""
    """Name of the file that it came from."""
    n_rows: int = 0
    n_columns: int = 0
    transposed: bool = False
    """Stored as float32, one row a feature and one column a patient (omics)."""
    file: str = ""
    sha256: str = ""

    def column(self, name: str) -> Column:
        """The dictionary's entry of a column; a plain predictor where it has none."""
        return self.columns.get(name) or self.default_column or Column()

    def to_dict(self) -> dict[str, Any]:
        """As stored: the defaults of each column are left out."""
        content = {key: getattr(self, key) for key in self.__dataclass_fields__}
        content["columns"] = {name: column.model_dump(exclude_defaults=True) for name, column in self.columns.items()}
        content["default_column"] = self.default_column and self.default_column.model_dump(exclude_defaults=True)
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TableInfo:
        values = {key: content[key] for key in cls.__dataclass_fields__ if key in content}
        values["columns"] = {name: Column(**column) for name, column in values["columns"].items()}
        default = values.get("default_column")
        values["default_column"] = None if default is None else Column(**default)
        return cls(**values)

    def checksum(self) -> str:
        """The sha256 of values and dictionary together: a corrected role changes results as a value does."""
        return sha256_json(self.to_dict())

    def ref(self) -> str:
        """The dictionary's own file in the study, which stays when the table is replaced."""
        return f"tables/{self.name}.{self.checksum()[:16]}.yaml"


@dataclass(frozen=True)
class Input:
    """A table as a run reads it: the name in the settings, what it resolved to, and its checksum."""

    name: str
    ref: str
    sha256: str


def index_date_columns(tables: Mapping[str, TableInfo], name: str | None) -> list[tuple[str, str]]:
    """Table and column that may hold the index dates: by role, else by the study's name for it.

    A table's own date of that name is something else.
    """
    declared = [(table, column) for table, info in tables.items() for column, entry in info.columns.items()
                if entry.role == "index_date"]
    return declared or [(table, name) for table, info in tables.items()
                        if name and name in info.columns and info.date_column != name]


def features_as_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Patients x features (float64 or other) to one row a feature, float32, with the features' names in a column."""
    import numpy as np
    import pandas as pd

    values = np.ascontiguousarray(frame.to_numpy(dtype="float32", na_value=np.nan).T)
    stored = pd.DataFrame(values, columns=frame.index.astype(str))
    stored.insert(0, FEATURE, [str(name) for name in frame.columns])
    return stored


def identifiers_of(folder: Path, info: TableInfo) -> list[str]:
    """The patient identifiers in a stored table; none when the file is missing or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / info.file
    try:
        if info.transposed:
            return [name for name in pq.read_schema(path).names if name != FEATURE]
        # Not read_table, which first loads pyarrow's machinery for folders of files (0.4 s).
        values = pq.ParquetFile(path).read(columns=[info.id_column])[info.id_column].unique()
    except (OSError, pa.ArrowException):
        return []
    return [str(value) for value in values.to_pylist()]


def check_name(name: str) -> None:
    """Refuse a name that is no plain file name.

    Raises
    ------
    StudyError
    """
    if not _NAME.fullmatch(name):
        raise StudyError("a table's name must be letters, digits, _ and -, at most 64", where="study",
                         todo="Choose another name")

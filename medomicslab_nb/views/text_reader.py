"""The view of the text stage: notes and who has annotated them before the run, what is known after it."""

from __future__ import annotations

from typing import Any

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.evidence import shown_tables
from medomicslab_nb.text.attributes import attributes
from medomicslab_nb.views.data_loader import figures
from medomicslab_nb.views.language import language, text
from medomicslab_nb.views.markup import escape, heading, table
from medomicslab_nb.views.record_view import Bundle
from medomicslab_nb.views.stage_view import StageView

_FIGURES = ("attributes",)
_COUNTS = ("mentions", "negated", "uncertain", "patients_stated", "patients_negated", "conflicts")


class TextReader(StageView):
    """Which notes the study has, the annotator, and what was read of how many patients."""

    def before(self) -> str:
        """The notes and the annotators, as HTML."""
        return heading(text("notes")) + _notes(self.study, str(self._values["notes"]), str(self._values["text"]))

    def tools(self) -> tuple[Any, ...]:
        """The annotator, which opens where somebody asks for it."""
        from medomicslab_nb.views.annotate_tool import AnnotateTool

        notes = str(self._values["notes"])
        if notes not in self.study.tables:
            return ()
        tool = AnnotateTool(self.study, notes, text_column=str(self._values["text"]),
                            note_column=str(self._values["note"]))
        return (tool.widget,)

    def suggestions(self) -> dict[str, tuple[str, ...]]:
        """Tables, columns and attributes."""
        infos = self.study.tables
        name = str(self._values["notes"])
        columns = tuple(infos[name].columns) if name in infos else ()
        return {"notes": tuple(infos), "text": columns, "note": columns, "attributes": tuple(attributes())}

    def result(self, record: RunRecord) -> list[Bundle]:
        """Summary, what is known of each attribute, and its figure."""
        return [*super().result(record), *_known(record), *figures(record, _FIGURES)]


def _notes(study: Any, name: str, column: str) -> str:
    """How many notes of how many patients there are, when, and in which languages; what is wrong, if anything is."""
    if name not in study.tables:
        return escape(text("notes_missing", name=name))
    try:
        frame = study.table(name)
    except MedomicsError as error:
        return escape(str(error))
    info = study.tables[name]
    if column not in frame.columns:
        return escape(text("notes_no_text", name=name, column=column))
    rows = [[text("notes_count"), str(len(frame))], [text("patients"), str(frame.index.nunique())]]
    if "language" in frame.columns:
        counts = frame["language"].astype("str").value_counts()
        rows.append([text("notes_languages"), ", ".join(f"{code}: {count}" for code, count in counts.items())])
    rows.append([text("notes_dates"), info.date_column or text("notes_undated")])
    return table(["", ""], rows)


def _known(record: RunRecord) -> list[Bundle]:
    if "attributes" not in record.tables:
        return []
    spoken, catalogue = language(), attributes()
    rows = []
    for line in shown_tables(record, frozenset())["attributes"].to_dict("records"):
        name = line["attribute"]
        rows.append([catalogue[name].title[spoken] if name in catalogue else name,
                     *(str(line[column]) for column in _COUNTS)])
    columns = [text("attribute"), *(text(f"text_{column}") for column in _COUNTS)]
    return [{"text/html": heading(text("text_known")) + table(columns, rows)}]

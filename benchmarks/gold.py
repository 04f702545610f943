"""Gold annotations of public texts out of two independent passes: agreement, what is left to decide, and the split.

A pass is a file of lines ``{"id": ..., "spans": [[attribute, text, occurrence, value, context], ...]}``: the occurrence
counts from 1, over the whole text, in the same upper and lower case. The passes are *simulated* annotators: what is
printed of them is no agreement of clinicians.

Of documents with the same text the first one counts. Where the passes agree on attribute, value and context of
overlapping spans, the span is taken, with the first pass's begin and end. Everything else is listed in
``disputed.jsonl``, one line a document, for somebody who reads the text again; what they decide comes back in the short
format (``--adjudicated``: the spans that hold out of the disputed ones, other ones too; a line for every document with
disputes). Then ``gold_dev.jsonl`` and ``gold_test.jsonl`` are written, otherwise ``agreed_dev.jsonl`` and
``agreed_test.jsonl``, which lack what is disputed. They are in the form of annotated notes
(:mod:`medomicslab_nb.text.exchange.jsonl`), without the texts but with their sha256.

The split: documents in the order of the sha256 of their text, the first half is dev. Last lines: ``name=value``.

    python benchmarks/gold.py --texts E3C.jsonl --pass A.jsonl --pass B.jsonl [--adjudicated C.jsonl] --out DIR
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medomicslab_nb.evaluation.intervals import Interval
from medomicslab_nb.files import sha256_of, write_bytes
from medomicslab_nb.text.agreement import TOGETHER, Agreement, agreement
from medomicslab_nb.text.attributes import CONTEXTS, attributes
from medomicslab_nb.text.disputes import Dispute, settle
from medomicslab_nb.text.exchange.annotated_note import AnnotatedNote, steady_id
from medomicslab_nb.text.exchange.jsonl import write_jsonl
from medomicslab_nb.text.note_work import sha256_of_text
from medomicslab_nb.text.span import Span, in_order

_AROUND = 60  # characters shown on each side of a disputed span

Spans = dict[str, list[Span]]


def main() -> None:
    options = _options()
    texts = read_texts(options.texts)
    passes = [read_pass(path, texts) for path in options.passes]
    first, second = ({name: spans for name, spans in one.items() if name in texts} for one in passes)
    shared = [name for name in texts if name in first and name in second]
    missing = len(texts) - len(shared)
    print_agreement(agreement(first, second, draws=options.draws))
    agreed, disputed = {}, {}
    for name in shared:
        agreed[name], disputed[name] = settle(first[name], second[name])
    disputed = {name: found for name, found in disputed.items() if found}
    written = [_write(options.out / "disputed.jsonl", disputed_lines(disputed, texts))]
    gold, kind = agreed, "agreed"
    if options.adjudicated:
        gold, kind = decided(agreed, disputed, read_pass(options.adjudicated, texts)), "gold"
    for half, names in zip(("dev", "test"), halves(gold, texts), strict=True):
        notes = [_note(name, texts[name], gold[name], options.language) for name in names]
        written.append(_write(options.out / f"{kind}_{half}.jsonl", write_jsonl(notes)))
    for path in (options.texts, *options.passes, *filter(None, [options.adjudicated]), *written):
        print(f"sha256 {sha256_of(path)} {path.name}")
    print(f"documents={len(gold)}")
    print(f"documents_lacking_a_pass={missing}")
    print(f"mentions={sum(map(len, gold.values()))}")
    print(f"disputed={sum(map(len, disputed.values()))}")
    print(f"disputed_documents={len(disputed)}")
    print(f"complete={bool(options.adjudicated)}")


def read_texts(path: Path) -> dict[str, str]:
    """Texts by identifier, without those that stood there before under another one."""
    first_of: dict[str, str] = {}
    twins = 0
    for line in _lines(path):
        twins += line["text"] in first_of
        first_of.setdefault(line["text"], line["id"])
    print(f"{path.name}: {len(first_of)} different texts, {twins} twins left out")
    return {name: text for text, name in first_of.items()}


def read_pass(path: Path, texts: Mapping[str, str]) -> Spans:
    """One annotator's spans by document; those of twins too, which ``texts`` does not have, without a look at them."""
    found: Spans = {}
    faults = []
    for line in _lines(path):
        if line["id"] in found:
            faults.append(f"{line['id']} stands there twice")
        found[line["id"]] = []
        for span in line["spans"] if line["id"] in texts else ():
            try:
                found[line["id"]].append(resolve(texts[line["id"]], span))
            except ValueError as fault:
                faults.append(f"{line['id']} {span}: {fault}")
    if faults:
        raise SystemExit(f"{path.name}:\n" + "\n".join(faults))
    return {name: _unique(spans) for name, spans in found.items()}


def resolve(text: str, short: Sequence[Any]) -> Span:
    """A span of the short format with its offsets.

    Raises
    ------
    ValueError
        It names no attribute or context that there is, or text that does not occur so often.
    """
    attribute, words, occurrence, value, context = short
    if attribute not in attributes():
        raise ValueError("no such attribute")
    if not set(context) <= set(CONTEXTS):
        raise ValueError("no such context")
    start = -1
    for _ in range(occurrence):
        start = text.find(words, start + 1)
        if start < 0:
            raise ValueError(f"occurs {text.count(words)} times")
    span = Span.of(text, attribute, start, start + len(words), value=str(value), context=context)
    return replace(span, id=steady_id(span))


def decided(agreed: Spans, disputed: Mapping[str, Sequence[Dispute]], adjudicated: Spans) -> Spans:
    """The agreed spans with those that the adjudicator lets stand."""
    undecided = sorted(disputed.keys() - adjudicated.keys())
    if undecided:
        raise SystemExit(f"{len(undecided)} documents with disputed spans have no line in --adjudicated: "
                         + " ".join(undecided))
    return {name: in_order(_unique([*spans, *adjudicated.get(name, [])])) for name, spans in agreed.items()}


def halves(names: Iterable[str], texts: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The dev half and the test half: which document is in which depends on the texts alone."""
    ordered = sorted(names, key=lambda name: sha256_of_text(texts[name]))
    return ordered[:(len(ordered) + 1) // 2], ordered[(len(ordered) + 1) // 2:]


def disputed_lines(disputed: Mapping[str, Sequence[Dispute]], texts: Mapping[str, str]) -> bytes:
    """One line a document: what each pass says, and the text around it."""
    lines = [{"id": name, "disputed": [_shown(dispute, texts[name]) for dispute in found]}
             for name, found in disputed.items()]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _shown(dispute: Dispute, text: str) -> dict[str, Any]:
    start, end = dispute.start, dispute.end
    around = f"{text[max(start - _AROUND, 0):start]}[{text[start:end]}]{text[end:end + _AROUND]}"
    return {"first": _short(dispute.left, text), "second": _short(dispute.right, text), "around": around}


def _short(span: Span | None, text: str) -> list[Any] | None:
    """A span in the short format."""
    if span is None:
        return None
    occurrence = sum(text.startswith(span.text, place) for place in range(span.start + 1))
    return [span.attribute, span.text, occurrence, span.value, list(span.context)]


def _note(name: str, text: str, spans: Sequence[Span], language: str) -> AnnotatedNote:
    return AnnotatedNote.of(name, text, spans, done=True, annotator="gold", language=language).without_text()


def _unique(spans: Iterable[Span]) -> list[Span]:
    return list({span.id: span for span in spans}.values())


def print_agreement(found: Sequence[Agreement]) -> None:
    """A table by attribute."""
    print("Agreement of two simulated annotators, not clinicians'. 95 % intervals over documents; kappa of value and "
          "context is of overlapping spans; chance within each attribute; nan: does not exist (see agreement.py).")
    print(f"{'attribute':20}{'first':>6}{'second':>7}  {'F1 exact':20}{'F1 overlap':20}{'kappa value':20}"
          f"{'kappa context':20}{'kappa presence':20}")
    for one in found:
        name = "together" if one.attribute == TOGETHER else one.attribute
        figures = [one.f1_exact, one.f1_overlap, one.value.kappa, one.context.kappa, one.presence.kappa]
        print(f"{name:20}{one.first:6}{one.second:7}  " + "".join(f"{_in_words(each):20}" for each in figures))


def _in_words(interval: Interval) -> str:
    if interval.estimate != interval.estimate:
        return "nan"
    return f"{interval.estimate:.3f} {interval.lower:.3f}-{interval.upper:.3f}"


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def _write(path: Path, content: bytes) -> Path:
    write_bytes(path, content)
    return path


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True, help="JSON lines with id and text")
    parser.add_argument("--pass", dest="passes", type=Path, action="append", required=True, help="give it twice")
    parser.add_argument("--adjudicated", type=Path, help="decisions on disputed.jsonl, in the short format")
    parser.add_argument("--language", choices=("fr", "en", ""), default="")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--out", type=Path, required=True, help="outside the repository: the texts have a licence")
    options = parser.parse_args()
    if len(options.passes) != 2:
        parser.error("give --pass twice")
    return options


if __name__ == "__main__":
    main()

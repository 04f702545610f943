"""How right are the facts that rules read from notes?

``--challenge FOLDER`` scores sentences that were written for it (*not real notes*): a fact is right when attribute,
value and context are and it overlaps. ``--gold FOLDER --texts E3C.jsonl`` scores annotations of real case reports, as
``benchmarks/gold.py`` writes them, also by value alone and by place alone. Both have two halves by the checksum of the
text: rules may be developed on ``dev``, figures are read on ``test``. Last lines: ``name=value``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medomicslab_nb.text.facts import Fact
from medomicslab_nb.text.pipeline import suggestions
from medomicslab_nb.text.scoring import Score, overlaps, same_fact, same_value, score

RULES = {"facts": same_fact, "values": same_value, "mentions": overlaps}


@dataclass(frozen=True)
class Example:
    """A text and the facts that are there, of the attributes that were looked for."""

    name: str
    text: str
    facts: tuple[Fact, ...]
    attributes: frozenset[str]
    part: str


def main() -> None:
    options = _options()
    examples = [each for each in _examples(options) if options.part in ("all", each.part)]
    wanted = set(options.attributes.split(",")) if options.attributes else set()
    counts: dict[str, dict[str, Score]] = {rule: defaultdict(Score) for rule in RULES}
    for example in examples:
        looked_for = example.attributes & wanted if wanted else example.attributes
        there = [fact for fact in example.facts if fact.attribute in looked_for]
        found = [fact for fact in suggestions(example.text, options.lang) if fact.attribute in looked_for]
        for rule, same in RULES.items():
            for attribute, one in score(there, found, same).items():
                counts[rule][attribute] += one
        if options.errors:
            _print_errors(example, there, found, options)
    _report(counts, options.by)
    if options.json:
        Path(options.json).write_text(json.dumps({rule: {name: vars(each) for name, each in sorted(by.items())}
                                                  for rule, by in counts.items()}, indent=1))


def part_of(text: str) -> str:
    """The half to which a text belongs, ``dev`` or ``test``, by its checksum."""
    return "dev" if int(hashlib.sha256(text.encode()).hexdigest(), 16) % 2 else "test"


def _examples(options: argparse.Namespace) -> list[Example]:
    if options.challenge:
        return list(read_challenge(Path(options.challenge) / options.lang))
    return list(read_gold(Path(options.gold), Path(options.texts)))


def read_challenge(folder: Path) -> Iterator[Example]:
    """The sentences of every group; the attributes of a group are looked for in all its sentences."""
    for path in sorted(folder.glob("*.jsonl")):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        looked_for = frozenset(fact["attribute"] for line in lines for fact in line["facts"])
        for number, line in enumerate(lines, start=1):
            facts = tuple(_challenge_fact(line["text"], fact) for fact in line["facts"])
            yield Example(f"{path.stem}:{number}", line["text"], facts, looked_for,
                          part_of(line["text"]))


def _challenge_fact(text: str, fact: Mapping[str, object]) -> Fact:
    stretch, start = str(fact["text"]), -1
    for _ in range(int(str(fact.get("occurrence", 1)))):
        start = text.index(stretch, start + 1)
    context = fact.get("context", ())
    assert isinstance(context, Sequence)
    return Fact(str(fact["attribute"]), start, start + len(stretch), stretch, str(fact["value"]),
                context=tuple(context))


def read_gold(path: Path, texts: Path) -> Iterator[Example]:
    """Annotated documents; the texts are not in the annotations, and must be those that were annotated."""
    by_checksum = {}
    for line in texts.read_text(encoding="utf-8").splitlines():
        text = json.loads(line)["text"]
        by_checksum[hashlib.sha256(text.encode()).hexdigest()] = text
    records = [(part, json.loads(line)) for part in ("dev", "test")
               for line in _gold_file(path, part).read_text(encoding="utf-8").splitlines()]
    notes = [(part, record) for part, record in records if "note" in record]
    looked_for = frozenset(span["attribute"] for _, record in notes for span in record["spans"])
    for part, record in notes:
        text = by_checksum[record["sha256"]]
        facts = tuple(Fact(span["attribute"], span["start"], span["end"], text[span["start"]:span["end"]],
                           span["value"], context=tuple(span["context"])) for span in record["spans"])
        yield Example(record["note"], text, facts, looked_for, part)


def _gold_file(folder: Path, part: str) -> Path:
    """What was decided, or as long as it is not, what both passes agree on."""
    decided = folder / f"gold_{part}.jsonl"
    return decided if decided.exists() else folder / f"agreed_{part}.jsonl"


def _print_errors(example: Example, there: Sequence[Fact], found: Sequence[Fact], options: argparse.Namespace) -> None:
    same = RULES[options.by]
    missed = [fact for fact in there if not any(same(fact, other) for other in found)]
    wrong = [fact for fact in found if not any(same(fact, other) for other in there)]
    for kind, facts in (("missed", missed), ("wrong", wrong)):
        for fact in facts:
            around = example.text[max(fact.start - 70, 0):fact.end + 70].replace("\n", "\\n")
            print(f"{kind:6} {fact.attribute:14} {fact.value!r:18} {fact.text!r} {','.join(fact.context)} "
                  f"[{example.name}] ...{around}...")


def _report(counts: Mapping[str, Mapping[str, Score]], by: str) -> None:
    print(f"{'attribute':18}{'n':>6}{'P':>8}{'R':>8}{'F1':>8}  95 % of R        value F1  mention F1")
    for attribute in sorted(counts[by]):
        one = counts[by][attribute]
        lower, upper = one.recall_interval()
        others = "".join(f"{counts[rule][attribute].f1:12.3f}" for rule in ("values", "mentions"))
        print(f"{attribute:18}{one.right + one.missed:6}{one.precision:8.3f}{one.recall:8.3f}{one.f1:8.3f}"
              f"  {lower:.3f} to {upper:.3f}{others}")
    for rule, by_attribute in counts.items():
        print(f"{rule}_f1={sum(by_attribute.values(), Score()).f1:.4f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--challenge", help="folder of the sentences, with one folder a language")
    source.add_argument("--gold", help="folder that benchmarks/gold.py wrote")
    parser.add_argument("--texts", help="the documents that were annotated")
    parser.add_argument("--lang", choices=("fr", "en"), required=True)
    parser.add_argument("--part", choices=("dev", "test", "all"), default="all")
    parser.add_argument("--attributes", default="", help="only these, separated by commas")
    parser.add_argument("--by", choices=tuple(RULES), default="facts", help="what must agree")
    parser.add_argument("--errors", action="store_true", help="list what is wrong or missed")
    parser.add_argument("--json", help="write the counts there")
    return parser.parse_args()


if __name__ == "__main__":
    main()

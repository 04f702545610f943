"""How many identifiers of invented notes are found, and how much else is masked, in them and in real published cases?

    python benchmarks/deidentify.py [--notes 240] [--e3c FOLDER] [--source tuned|"held out"]

The notes are generated (tests/text/identifiers/generated_notes.py), in French and English, with names that stand in no
list of the rules; those of the source "held out" were never looked at. Not real notes: on a hospital's own notes the
figures will differ, and every note needs review. Of E3C (FOLDER) the share of all words that is masked is told,
rightly or not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from medomicslab_nb.text.identifiers.finding import find_identifiers
from medomicslab_nb.text.identifiers.lexicons import eponyms
from medomicslab_nb.text.note import Note
from tests.text.identifiers.generated_notes import generate
from tests.text.identifiers.measuring import masked_share, measure

SENTENCES = {"fr": ["Maladie de {}.", "Le score de {} est à 3.", "Signe de {} négatif"],
             "en": ["No {} disease.", "The {} score was 3.", "a positive {} sign"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=240, help="of each language and source")
    parser.add_argument("--e3c", type=Path, default=ROOT.parent / "shared" / "data" / "e3c")
    parser.add_argument("--source", choices=("tuned", "held out"), help="one source only")
    options = parser.parse_args()
    figures = {}
    for source in (options.source,) if options.source else ("tuned", "held out"):
        for language in ("fr", "en"):
            figures |= generated(language, source, options.notes)
    if options.e3c.is_dir():
        figures |= published(options.e3c)
    figures["eponyms"] = len(eponyms())
    figures["eponyms_masked"] = sum(bool(find_identifiers(Note(sentence.format(name.capitalize()), language)))
                                    for name in eponyms() for language, sentences in SENTENCES.items()
                                    for sentence in sentences)
    for name, value in figures.items():
        print(f"{name}={value}")


def generated(language: str, source: str, number: int) -> dict[str, float]:
    """Recall by kind and by manner of writing, printed; recall, precision and speed, returned."""
    notes = generate(language, source, number)
    start = time.perf_counter()
    found = measure(notes)
    seconds = time.perf_counter() - start
    print(f"{language}, names {source}: {number} notes")
    print("  ", shares(found.found, found.told))
    print("  ", shares(found.manners_found, found.manners))
    name = f"{language}_{source.replace(' ', '_')}"
    return {f"{name}_recall": round(found.recall, 4), f"{name}_precision": round(found.precision, 4),
            f"{name}_others_masked": round(found.others_masked, 4), f"{name}_kept_hit": found.kept_hit,
            f"{name}_notes_per_s": round(number / seconds)}


def shares(part: Counter[str], whole: Counter[str]) -> str:
    return ", ".join(f"{name} {part[name] / whole[name]:.3f} ({whole[name]})" for name in whole)


def published(folder: Path) -> dict[str, float]:
    """The share of words masked in each file of published cases."""
    figures = {}
    for path in sorted(folder.glob("*.jsonl")):
        texts = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]
        figures[f"{path.stem}_masked"] = round(masked_share(texts, path.stem[-2:]), 5)
    return figures


if __name__ == "__main__":
    main()

"""How much memory do 100,000 notes take that are read one after the other, and how many a second are they?

The notes are made on the way, in French and English in turn, each with words that no other has, as names and numbers in
real notes are. Memory is the peak of the process, with everything that is loaded. Last lines: ``name=value``.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import time
from collections.abc import Iterator
from pathlib import Path

from medomicslab_nb.text.pipeline import read_texts

LIMIT_MB = 300
FRENCH = (
    "Compte rendu de consultation {name}.\nATCD : HTA, {word}, tabagisme sevré à {small} PA, appendicectomie.\n"
    "Patiente de {age} ans, adressée par {name} pour un nodule du sein gauche de {small},{digit} x {small} mm sans "
    "{word} ni {word}. Carcinome canalaire infiltrant, pT{t}N{n}M0, grade SBR II. RE {age} %, HER2 négatif, Ki-67 : "
    "{small} %. Pas de métastase hépatique au scanner du {day:02d}/{month:02d}/2020 ({word}). OMS {n}. ACE "
    "{small},{digit} ng/mL.\nConduite à tenir : radiothérapie 50 Gy, puis {word} ; revoir avec {name}.")
ENGLISH = (
    "Clinic letter, {name}.\nPast medical history: hypertension, {word}. She denies smoking; her mother had {word}.\n"
    "{age}-year-old woman referred by {name} with a {small} mm lesion of the right breast, no {word} or {word}. "
    "Invasive ductal carcinoma, pT{t} N{n} M0, grade 3. ER positive, HER2 negative, Ki-67 {small} %. No evidence of "
    "recurrence on {day} March 2020 ({word}). ECOG {n}. CEA {small}.{digit} ng/mL.\nPlan: adjuvant chemotherapy, then "
    "{word}, {name}.")
_SYLLABLES = ("ba", "ko", "ri", "sel", "tan", "mur", "dov", "lek", "ina", "oste", "phil", "gra", "wen", "zil")


def main() -> None:
    options = _options()
    draw = random.Random(0)
    began, words = time.process_time(), 0

    def texts() -> Iterator[tuple[str, str]]:
        nonlocal words
        for number in range(options.notes):
            text = _note(draw, FRENCH if number % 2 else ENGLISH)
            words += len(text.split())
            yield text, "fr" if number % 2 else "en"

    facts = sum(len(found) for found in read_texts(texts()))
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    results = {"notes": options.notes, "words_per_note": words / options.notes, "facts": facts,
               "notes_per_s": options.notes / seconds, "notes_of_300_words_per_s": words / 300 / seconds,
               "peak_mb": peak, "peak_mb_limit": LIMIT_MB}
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1))
    for name, value in results.items():
        print(f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}")
    raise SystemExit(peak > LIMIT_MB)


def _note(draw: random.Random, template: str) -> str:
    filled = template
    while "{word}" in filled or "{name}" in filled:
        filled = filled.replace("{word}", _word(draw), 1).replace("{name}", _word(draw).title(), 1)
    return filled.format(age=draw.randint(30, 90), small=draw.randint(2, 60), digit=draw.randint(0, 9),
                         t=draw.randint(1, 4), n=draw.randint(0, 2), day=draw.randint(1, 28), month=draw.randint(1, 12))


def _word(draw: random.Random) -> str:
    return "".join(draw.choices(_SYLLABLES, k=draw.randint(3, 5)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, default=100_000)
    parser.add_argument("--json", help="write the figures there")
    return parser.parse_args()


if __name__ == "__main__":
    main()

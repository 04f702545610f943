"""Invented notes with the place of every identifier, and of what must stay; no name in them is one of the rules' lists.

Names come from one of two sources, "tuned" and "held out": each has names of its own and syllables of its own. Rules
may be looked at with the first; of the second only the figures are read.
"""

from __future__ import annotations

import datetime as dt
import random
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from medomicslab_nb.text.folding import fold
from medomicslab_nb.text.identifiers.lexicons import eponyms, first_names, places, surnames
from medomicslab_nb.text.identifiers.tokens import is_ordinary

LAYOUTS = yaml.safe_load(Path(__file__).with_name("generated_notes.yaml").read_text(encoding="utf-8"))
SOURCES = yaml.safe_load(Path(__file__).with_name("generated_names.yaml").read_text(encoding="utf-8"))
CONTENT = SOURCES["content"]
_SLOT = re.compile(r"\{(=?)([\w.]+)\}")
_OCR = (("rn", "m"), ("m", "rn"), ("o", "0"), ("l", "1"), ("i", "l"), ("O", "0"), ("I", "l"), ("S", "5"), ("B", "8"))
MANNERS = ("plain", "plain", "plain", "lower", "upper", "ocr", "no accents")


@dataclass(frozen=True)
class Place:
    """What stands in a note: its kind and the characters."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class GeneratedNote:
    """A note and the truth."""

    text: str
    language: str
    layout: str
    manner: str
    identifiers: tuple[Place, ...]
    kept: tuple[Place, ...]
    known: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Person:
    """Somebody in a note."""

    first: str
    last: str
    title: str

    def written(self, form: str) -> str:
        return {"first": self.first, "last": self.last, "LAST": self.last.upper(), "title": self.title,
                "full": f"{self.first} {self.last}", "i_last": f"{self.first[0]}. {self.last}"}[form]


def generate(language: str, source: str, number: int, seed: int = 0) -> list[GeneratedNote]:
    """Notes in turn of every layout, in every manner of writing."""
    rng = random.Random(f"{language}{source}{seed}")
    layouts = list(LAYOUTS[language])
    return [_Writer(language, source, rng).note(layouts[i % len(layouts)], MANNERS[(i // len(layouts)) % len(MANNERS)])
            for i in range(number)]


class _Writer:
    """Fills one layout; people, place and dates are the same throughout the note."""

    def __init__(self, language: str, source: str, rng: random.Random) -> None:
        self.language, self.rng, self.names = language, rng, SOURCES[source]
        self.people = {name: self._person() for name in ("p", "d", "d2", "r")}
        for doctor in ("d", "d2"):
            person = self.people[doctor]
            self.people[doctor] = Person(person.first, person.last, "Dr")
        self.female = self.people["p"].title in ("Mme", "Mrs", "Ms", "Mlle")
        self.city, self.institution = self.pick("city"), self.pick(f"institution_{language}")

    def pick(self, name: str) -> str:
        found = self.names.get(name) or CONTENT[name]
        return self.rng.choice(found)

    def note(self, layout: str, manner: str) -> GeneratedNote:
        text, marks, at = "", [], 0
        template = LAYOUTS[self.language][layout]
        while "{body}" in template:
            body = " ".join(self.rng.sample(CONTENT[f"body_{self.language}"], self.rng.randint(2, 4)))
            template = template.replace("{body}", body, 1)
        for match in _SLOT.finditer(template):
            text += self._changed(template[at:match.start()], manner, slot=False)
            at = match.end()
            value = self._changed(self.value(match[2]), manner, slot=True)
            if match[2] not in ("e", "kin") and not match[2].endswith(".title"):
                marks.append((bool(match[1]), Place(_kind(match[2]), len(text), len(text) + len(value))))
            text += value
        text += self._changed(template[at:], manner, slot=False)
        return GeneratedNote(text, self.language, layout, manner, tuple(place for kept, place in marks if not kept),
                             tuple(place for kept, place in marks if kept))

    def _changed(self, text: str, manner: str, *, slot: bool) -> str:
        if manner == "lower":
            return text.lower()
        if manner == "upper":
            return text.upper()
        if manner == "no accents":
            return "".join(fold(c).folded.upper() if c.isupper() else fold(c).folded for c in text)
        if manner == "ocr" and slot and re.search(r"[A-Za-z]{4}", text) and "@" not in text and self.rng.random() < 0.5:
            return self._misread(text)
        return text

    def _misread(self, text: str) -> str:
        if " " not in text and self.rng.random() < 0.15:
            return f"{text[:1]} {text[1:]}"
        places = [(at, right, wrong) for right, wrong in _OCR for at in range(1, len(text) - 1)
                  if text.startswith(right, at) and text[at - 1].isalpha()]
        if not places:
            return text
        at, right, wrong = self.rng.choice(places)
        return text[:at] + wrong + text[at + len(right):]

    def value(self, slot: str) -> str:
        if "." in slot:
            person, form = slot.split(".")
            return self.people[person].written(form)
        made = getattr(self, f"_{slot}", None)
        if made is not None:
            return made()
        return {"city": self.city, "institution": self.institution}.get(slot) or self.pick(f"{slot}_{self.language}")

    # -- people ---------------------------------------------------------------------------------------------------

    def _person(self) -> Person:
        female = self.rng.random() < 0.5
        titles = {"fr": (["M.", "Monsieur"], ["Mme", "Madame"]), "en": (["Mr"], ["Mrs", "Ms"])}[self.language]
        last = self._name("last")
        if self.rng.random() < 0.12:
            last = f"{last}-{self._name('last')}"
        elif self.rng.random() < 0.1:
            last = f"{self.rng.choice(self.names['particles'])}{last}"
        first = self._name("first")
        while first[0] == "M":  # "M. Le Goff" would be Monsieur
            first = self._name("first")
        if self.rng.random() < 0.1:
            first = f"{first}-{self._name('first')}"
        return Person(first, last, self.rng.choice(titles[female]))

    def _name(self, which: str) -> str:
        while True:
            if self.rng.random() < 0.5:
                name = self.rng.choice(self.names[which])
            else:
                parts = self.rng.choice(self.names[f"{which}_parts"])
                name = "".join(self.rng.choice(part.split()) for part in parts).replace("_", "").capitalize()
            if _is_new(name):
                return name

    # -- other identifiers ----------------------------------------------------------------------------------------

    def _digits(self, number: int) -> str:
        return "".join(self.rng.choice("0123456789") for _ in range(number))

    def _day(self, first: int = 2015, last: int = 2025) -> dt.date:
        return dt.date(self.rng.randint(first, last), 1, 1) + dt.timedelta(days=self.rng.randrange(365))

    def _written(self, day: dt.date) -> str:
        months = CONTENT[f"months_{self.language}"]
        month = months[day.month - 1]
        if self.language == "fr":
            short = CONTENT["short_months_fr"][day.month - 1]
            return self.rng.choice([f"{day:%d/%m/%Y}", f"{day:%d/%m/%y}", f"{day:%d.%m.%Y}", f"{day:%d-%m-%Y}",
                                    f"{day.day} {month} {day.year}", f"{day.day} {short} {day.year}", f"{day}"])
        return self.rng.choice([f"{day:%m/%d/%Y}", f"{day:%d/%m/%y}", f"{day:%d-%b-%Y}",
                                f"{month} {day.day}, {day.year}",
                                f"{day.day} {month} {day.year}", f"{day.day}th {month[:3]} {day.year}", f"{day}"])

    def _date(self) -> str:
        return self._written(self._day())

    def _birth(self) -> str:
        return self._written(self._day(1935, 1995))

    def _date_short(self) -> str:
        return f"{self._day():%d/%m/%y}"

    def _date_words(self) -> str:
        day = self._day()
        return f"{day.day} {CONTENT[f'months_{self.language}'][day.month - 1]} {day.year}"

    def _month_year(self) -> str:
        day = self._day()
        return f"{CONTENT[f'months_{self.language}'][day.month - 1]} {day.year}"

    def _year(self) -> str:
        return str(self.rng.randint(1925, 1935))

    def _age90(self) -> str:
        return str(self.rng.randint(90, 101))

    def _age(self) -> str:
        return str(self.rng.randint(25, 89))

    def _tnm(self) -> str:
        rng = self.rng
        tumour = f"{rng.choice(['', 'p', 'c', 'yp'])}T{rng.choice('1234')}{rng.choice(['', 'a', 'b'])}"
        return f"{tumour}N{rng.choice('012')}M0"

    def _interval(self) -> str:
        unit = self.rng.choice({"fr": ["jours", "mois", "ans"], "en": ["days", "months", "years"]}[self.language])
        return f"{self.rng.randint(2, 12)} {unit}"

    def _e(self) -> str:
        return "e" if self.female else ""

    def _nir(self) -> str:
        stem = (f"{2 if self.female else 1}{self.rng.randint(35, 95)}{self.rng.randint(1, 12):02}"
                f"{self.rng.randint(1, 95):02}{self._digits(6)}")
        key = f"{97 - int(stem) % 97:02}"
        spaced = f"{stem[0]} {stem[1:3]} {stem[3:5]} {stem[5:7]} {stem[7:10]} {stem[10:]} {key}"
        return self.rng.choice([spaced, stem + key, f"{stem} {key}"])

    def _ramq(self) -> str:
        letters = fold(re.sub(r"[^A-Za-zÀ-ÿ]", "", self.people["p"].last)).folded[:3].upper()
        return f"{letters}{self.people['p'].first[0].upper()} {self._digits(4)} {self._digits(4)}"

    def _mrn(self) -> str:
        return self.rng.choice([self._digits(7), self._digits(8), self._digits(10), f"H{self._digits(7)}"])

    _nda = _mrn

    def _accession(self) -> str:
        return self.rng.choice([f"H{self._digits(2)}-{self._digits(5)}", f"{self._digits(2)}P{self._digits(5)}",
                                f"S-20{self._digits(2)}-{self._digits(6)}"])

    def _rpps(self) -> str:
        return f"1{self._digits(10)}"

    def _adeli(self) -> str:
        return self._digits(9)

    def _nhs(self) -> str:
        return f"{self._digits(3)} {self._digits(3)} {self._digits(4)}"

    def _ssn(self) -> str:
        return f"{self.rng.randint(100, 665)}-{self._digits(2)}-{self._digits(4)}"

    def _phone(self) -> str:
        if self.language == "en":
            return self.rng.choice([f"020 7{self._digits(3)} {self._digits(4)}",
                                    f"0{self._digits(4)} {self._digits(6)}",
                                    f"+44 7{self._digits(3)} {self._digits(6)}"])
        parts = [self._digits(2) for _ in range(4)]
        joint = self.rng.choice([" ", ".", "", "-"])
        return self.rng.choice([joint.join(["0" + self.rng.choice("1234567"), *parts]),
                                "+33 " + self.rng.choice("1234567") + " " + " ".join(parts)])

    _fax = _phone

    def _phone_ca(self) -> str:
        number = f"{self._digits(3)}-{self._digits(4)}"
        return self.rng.choice([f"514-{number}", f"(418) {number}", f"1 800 {number}", f"450 {number}, poste 21"])

    def _phone_us(self) -> str:
        return self.rng.choice([f"({self.rng.randint(201, 989)}) {self._digits(3)}-{self._digits(4)}",
                                f"{self.rng.randint(201, 989)}-{self._digits(3)}-{self._digits(4)}",
                                f"{self.rng.randint(201, 989)}.{self._digits(3)}.{self._digits(4)}",
                                f"+1 {self.rng.randint(201, 989)} {self._digits(3)} {self._digits(4)}"])

    def _email(self) -> str:
        person = self.people["p"]
        plain = re.sub(r"[^a-z]", "", fold(person.last).folded)
        server = self.rng.choice(["mail", "webposte", "hopital"])
        return f"{fold(person.first).folded[0]}.{plain}@{server}.{self.language}"

    def _url(self) -> str:
        return self.rng.choice(["https://portail.chu-exemple.fr/p?id=88213", "www.mondossier-patient.org/88213"])

    def _ip(self) -> str:
        return f"10.{self.rng.randint(0, 255)}.{self.rng.randint(0, 255)}.{self.rng.randint(1, 254)}"

    def _street(self) -> str:
        number, name = self.rng.randint(1, 299), self._name("last")
        if self.language == "fr":
            return f"{number}{self.rng.choice(['', ' bis', ','])} {self.pick('street_fr')} {name}"
        return f"{number} {name} {self.pick('street_en')}"

    _street2 = _street

    def _street_ca(self) -> str:
        side = self.rng.choice(["Est", "Ouest", ""])
        return f"{self.rng.randint(100, 9999)}, rue {self._name('last')} {side}".strip()

    def _street_us(self) -> str:
        return f"{self.rng.randint(100, 9999)} {self._name('last')} {self.pick('street_en')}"

    def _city_us(self) -> str:
        return f"{self.pick('city')}, {self.rng.choice(['NY', 'CA', 'TX', 'OH'])} {self._digits(5)}"

    def _city_ca(self) -> str:
        return self.pick("city")

    def _postcode(self) -> str:
        if self.language == "fr":
            return f"{self.rng.randint(1, 95):02}{self.rng.randint(0, 99) * 10:03}"
        return f"{self.rng.choice(['SW1A', 'M1', 'LS2', 'EH3', 'B15', 'CF10'])} {self.rng.choice('123456789')}" + \
            "".join(self.rng.choice("ABDEFGHJLNPQRSTUWXYZ") for _ in range(2))

    def _postcode_ca(self) -> str:
        letters = [self.rng.choice("ABCEGHJKLMNPRSTVXY") for _ in range(3)]
        digits = self._digits(3)
        return f"{letters[0]}{digits[0]}{letters[1]} {digits[1]}{letters[2]}{digits[2]}"

    def _plate(self) -> str:
        letters = "".join(self.rng.choice("ABCDEFGHJKLMNPQRSTVWXYZ") for _ in range(4))
        return f"{letters[:2]}-{self._digits(3)}-{letters[2:]}"

    def _account(self) -> str:
        return " ".join(["FR76", *(self._digits(4) for _ in range(5)), self._digits(3)])

    def _account_us(self) -> str:
        return self._digits(9)


def _kind(slot: str) -> str:
    if slot.startswith(("p.", "d.", "d2.", "r.")):
        return "name"
    return slot.split("_")[0].rstrip("2")


def _is_new(name: str) -> bool:
    """Whether no part of a name stands in a list of the rules."""
    parts = re.findall(r"[a-z]+", fold(name).folded)
    return not any(is_ordinary(part) or part in known for part in parts if len(part) > 2
                   for known in (first_names(), surnames(), eponyms(), places()))

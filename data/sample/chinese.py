"""Chinese short comments: an opinion from one to five is drawn first, words that carry it are put to it."""

from __future__ import annotations

import re
from typing import NamedTuple

import chinese_chat as chat
import chinese_talk as talk
import chinese_words as words
from banks import Dice, items
from chinese_films import Film

SLOT = re.compile(r"\{(\w+)\}")


class Aspect(NamedTuple):
    """One thing a film can be praised or blamed for."""

    name: str
    nouns: tuple[str, ...]
    good: tuple[str, ...]
    bad: tuple[str, ...]
    good_phrases: tuple[str, ...]
    bad_phrases: tuple[str, ...]


def read_aspects(text: str) -> tuple[Aspect, ...]:
    """The aspects of a bank: a line of nouns, a line of praise, a line of blame each."""
    rows = text.splitlines()
    aspects = []
    for nouns, praise, blame in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        name, phrases = nouns.split(":")
        good, good_phrases = praise[1:].split(";")
        bad, bad_phrases = blame[1:].split(";")
        aspects.append(
            Aspect(name, items(phrases), items(good), items(bad), items(good_phrases), items(bad_phrases))
        )
    return tuple(aspects)


ASPECTS = read_aspects(words.ASPECTS)
# Force: clauses that can stand anywhere, clauses that stand alone.
CLAUSES = {
    2: (words.PRAISE_2, words.PRAISE_2_ALONE),
    1: (words.PRAISE_1, words.PRAISE_1_ALONE),
    -1: (words.BLAME_1, words.BLAME_1_ALONE),
    -2: (words.BLAME_2, words.BLAME_2_ALONE),
}


class Commenter:
    """Writes one comment on one film and does not use the same words twice in it."""

    def __init__(self, dice: Dice, film: Film) -> None:
        self.dice = dice
        self.film = film
        self.used: set[object] = set()

    def clause(self, force: int, alone: bool = False) -> str:
        """A clause on one aspect; ``force`` is +2 or -2 for a strong opinion, +1 or -1 for a mild one."""
        bank = CLAUSES[force][self.dice.chance(0.3) if alone else 0]
        aspect = self._aspect(force)
        own, other = (aspect.good, aspect.bad) if force > 0 else (aspect.bad, aspect.good)
        phrases = aspect.good_phrases if force > 0 else aspect.bad_phrases
        nouns = tuple(noun for noun in aspect.nouns if noun not in self.film.without)
        slots = {"n": nouns, "x": own, "o": other, "phrase": phrases, "strong": words.STRONG}
        return self.fill(self.dice.fresh(bank, self.used), slots)

    def fill(self, template: str, slots: dict[str, tuple[str, ...]] | None = None) -> str:
        """The template with its slots filled, from ``slots`` or from what the film offers."""
        film = self.film
        banks = {
            "s": film.scenes, "r": film.roles, "t": film.subjects, "g": film.genres, "quote": film.quotes,
            "who": chat.WHO, "when": chat.WHEN, "neighbour": chat.NEIGHBOURS, "doing": chat.DOING,
        } | (slots or {})  # fmt: skip
        return SLOT.sub(lambda slot: self.dice.fresh(banks[slot[1]], self.used), template)

    def pair(self, bank: tuple[tuple[str, str], ...], side: int) -> str:
        """The praising or the blaming half of a pair."""
        return self.fill(self.dice.fresh(bank, self.used)[0 if side > 0 else 1])

    def _aspect(self, force: int) -> Aspect:
        favoured = self.film.strength if force > 0 else self.film.weakness
        pool = tuple(aspect for aspect in ASPECTS if aspect.name not in self.film.without)
        if self.dice.chance(0.4):
            pool = tuple(aspect for aspect in pool if aspect.name in favoured)
        return self.dice.fresh(pool, self.used)


WHOLE_REMARKS = {
    "scene": talk.SCENE_TALK,
    "turned": talk.REVERSALS_2,
    "open": talk.OPEN_TALK,
    "simile": talk.SIMILES,
    "irony": talk.IRONY,
}


def contrast(writer: Commenter, side: int, weight: int = 1) -> str:
    """A concession and the clause that decides: praise after blame where ``side`` is +1, else the reverse."""
    first, second = writer.clause(-side), writer.clause(side * weight)
    marked = words.GOOD_LAST if side > 0 else words.BAD_LAST
    bank = words.CONTRAST if weight == 1 or writer.dice.chance(0.5) else marked
    return writer.dice.pick(bank).replace("{p}", first).replace("{q}", second)


def remark(writer: Commenter, level: float) -> str:
    """One remark whose force fits the level (1 to 5)."""
    dice = writer.dice
    side = 1 if level > 3 else -1
    distance = abs(level - 3.0)
    if distance < 0.5:
        if dice.chance(0.35):
            return writer.fill(dice.fresh(chat.MIDDLING, writer.used))
        return contrast(writer, side) if dice.chance(0.75) else writer.clause(dice.pick((1, -1)), alone=True)
    if distance < 1.5:
        kind = dice.weighted({"clause": 32, "contrast": 34, "turned": 10, "scene": 11, "mild": 13})
        if kind in ("turned", "mild"):
            return writer.pair(talk.MILD_TALK if kind == "mild" else talk.REVERSALS_1, side)
        if kind == "contrast":
            return contrast(writer, side, 2 if distance > 0.9 else 1)
        return writer.clause(side, alone=True) if kind == "clause" else writer.pair(talk.SCENE_TALK, side)
    strong = {"clause": 42, "scene": 20, "turned": 12, "open": 9, "simile": 8, "irony": 5, "contrast": 4}
    kind = dice.weighted(strong)
    if kind == "clause":
        return writer.clause(2 * side, alone=True)
    if kind == "contrast":
        return contrast(writer, side, 2)
    return writer.pair(WHOLE_REMARKS[kind], side)


def comment(dice: Dice, film: Film, level: float) -> str:
    """A comment of 5 to 80 characters that means ``level`` on the scale from 1 to 5."""
    while True:
        text = _draft(Commenter(dice, film), level)
        if 5 <= len(text) <= 80:
            return text


def _draft(writer: Commenter, level: float) -> str:
    dice = writer.dice
    parts = [writer.fill(dice.fresh(chat.CHAT, writer.used))] if dice.chance(0.28) else []
    length = dice.weighted({1: 42, 2: 44, 3: 14})
    parts += [remark(writer, level + 0.45 * dice.normal()) for _ in range(length)]
    nearest = min(5, max(1, int(level + 0.35 * dice.normal() + 0.5)))
    if dice.chance(0.4) or sum(map(len, parts)) < 5:
        parts.insert(0 if dice.chance(0.25) else len(parts), dice.fresh(talk.VERDICTS[nearest], writer.used))
    text = parts[0]
    for part in parts[1:]:
        shout = 8 if abs(level - 3) > 1.5 else 0
        text += dice.weighted({"，": 42, "。": 28, " ": 12, "；": 5, "！": shout, "……": 3}) + part
    return text + _close(dice, nearest)


def _close(dice: Dice, level: int) -> str:
    """How the comment ends: a stop, nothing, a wave, shouting, trailing dots, an emoji."""
    loud = 9 if level in (1, 5) else 3
    plain = {"。": 44, "": 26, "～": 5, "……": 5, "...": 3, "emoji": 6}
    end = dice.weighted(plain | {"！": loud, "！！": loud / 2})
    return dice.pick(chat.EMOJI[level]) if end == "emoji" else end

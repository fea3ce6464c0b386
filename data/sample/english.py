"""English film reviews: a hidden opinion is drawn first, sentences that carry it are written after it."""

from __future__ import annotations

import re
from typing import NamedTuple

import english_scenes as scenes
import english_verdicts as closing
import english_words as words
from banks import Dice, items

SLOT = re.compile(r"\{([A-Za-z_.]+)\}")
ARTICLE = re.compile(r"\b([Aa])\(n\) (\w+)")
SENTENCE_START = re.compile(r"(^|[.?!] )([a-zé])")
NEUTRAL = {
    "trait": scenes.TRAITS,
    "job": scenes.JOBS,
    "in_place": scenes.PLACES,
    "quest": scenes.QUESTS,
    "trouble": scenes.TROUBLES,
    "object": scenes.OBJECTS,
    "relative": scenes.RELATIVES,
    "time": scenes.TIMES,
    "season": scenes.SEASONS,
    "strong": words.STRONG,
}
NUMBERS = {"high": (7, 10), "low": (1, 4), "minutes": (84, 139), "weeks": (3, 11)}
MAKES_UP = ("cancels that out", "makes up for it")
# What a slot holds where the reviewer praises, and where the reviewer blames; "no" at its end swaps them.
SIDED = {
    "yes": (words.GOOD, words.BAD),
    "no": (words.GOOD, words.BAD),
    "a_thing_yes": (words.GOOD_THINGS, words.BAD_THINGS),
    "a_thing": (words.GOOD_THINGS, words.BAD_THINGS),
    "soft": (words.SOFT_GOOD, words.SOFT_BAD),
}
# Openings that do not go after "Still," or "But".
NO_TURN = ("On top", "Then there", "As for", "What a", "Looking back", "Both")


class Aspect(NamedTuple):
    """One thing a film can be praised or blamed for."""

    name: str
    nouns: tuple[str, ...]
    good: tuple[str, ...]
    bad: tuple[str, ...]


def read_aspects(text: str) -> tuple[Aspect, ...]:
    """The aspects of a bank: a line of nouns, a line of praise, a line of blame each."""
    rows = text.splitlines()
    aspects = []
    for nouns, good, bad in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        name, phrases = nouns.split(":")
        aspects.append(Aspect(name, items(phrases), items(good[1:]), items(bad[1:])))
    return tuple(aspects)


ASPECTS = read_aspects(words.ASPECTS)
LASTING = tuple(aspect for aspect in ASPECTS if aspect.name in words.LASTING)


class Reviewer:
    """Fills templates for one review and does not use the same words twice in it."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.used: set[object] = set()
        self.hero = ""
        self.tense = 0 if dice.chance(0.65) else 1

    def sentence(self, bank: tuple[str, ...], side: int = 0) -> str:
        """A sentence from the bank; ``side`` is +1 for praise, -1 for blame, 0 where none is taken."""
        return self.write(self.dice.fresh(bank, self.used), side)

    def write(self, template: str, side: int) -> str:
        """The template with its slots filled, articles and capitals put right."""
        cast: dict[str, tuple[Aspect, str]] = {}
        text = SLOT.sub(lambda slot: self._fill(slot.group(1), side, cast), template)
        text = ARTICLE.sub(lambda found: f"{found[1]}{_n(found[2])} {found[2]}", text)
        return SENTENCE_START.sub(lambda found: found[1] + found[2].upper(), text)

    def _fill(self, slot: str, side: int, cast: dict[str, tuple[Aspect, str]]) -> str:
        name, _, part = slot.partition(".")
        if name in ("A", "B", "G"):
            return self._aspect(name, part, side, cast)
        if slot in NEUTRAL:
            return self.dice.fresh(NEUTRAL[slot], self.used)
        if slot in NUMBERS:
            return str(self.dice.between(*NUMBERS[slot]))
        if slot == "place":
            return self.dice.fresh(scenes.PLACES, self.used).split(" ", 1)[1]
        if slot == "lead":
            self.hero = self.dice.fresh(scenes.JOBS, self.used)
            return self.hero
        if slot == "hero":
            return (
                f"the {self.hero}" if self.hero else f"that {self.dice.fresh(scenes.TRAITS, self.used)} hero"
            )
        if slot == "makes_up":
            plural = cast["B"][1].startswith("*")
            return MAKES_UP[side > 0].replace("s ", " ", 1) if plural else MAKES_UP[side > 0]
        good, bad = SIDED[slot.removesuffix("_no")]
        return self.dice.fresh(good if (side > 0) != slot.endswith("no") else bad, self.used)

    def _aspect(self, letter: str, part: str, side: int, cast: dict[str, tuple[Aspect, str]]) -> str:
        if letter not in cast:
            aspect = self.dice.fresh(LASTING if letter == "G" else ASPECTS, self.used)
            cast[letter] = (aspect, self.dice.pick(aspect.nouns))
        aspect, noun = cast[letter]
        if part == "bare":
            return aspect.nouns[0].removeprefix("*").removeprefix("the ")
        if part in ("is", "was"):
            tense = 1 if part == "was" else self.tense
            return (("are", "were") if noun.startswith("*") else ("is", "was"))[tense]
        if part in ("yes", "no"):
            return self.dice.fresh(aspect.good if (part == "yes") == (side > 0) else aspect.bad, self.used)
        return noun.removeprefix("*")


def _n(word: str) -> str:
    """``n`` where the article before ``word`` is "an"."""
    word = word.lower()
    if word.startswith(("hour", "honest", "heir", "honour")):
        return "n"
    return "n" if word[0] in "aeiou" and not word.startswith(("one", "uni", "use", "eu")) else ""


def opinion(writer: Reviewer, side: int) -> str:
    """One sentence that takes the side: plainly, by negation, by contrast, or in the reviewer's own way."""
    dice = writer.dice
    kind = dice.weighted({"plain": 42, "not": 10, "but": 13, "turned": 7, "own": 26, "irony": 2})
    banks = {"plain": words.PLAIN, "not": words.NEGATED, "but": words.CONTRAST}
    if kind in banks:
        return writer.sentence(banks[kind], side)
    if kind == "own":
        return writer.sentence(closing.PRAISE if side > 0 else closing.BLAME, side)
    pair = dice.fresh(words.REVERSALS if kind == "turned" else closing.IRONY, writer.used)
    return writer.write(pair[0 if side > 0 else 1], side)


def verdict(writer: Reviewer, side: int) -> str:
    """The closing sentence."""
    if writer.dice.chance(0.45):
        return writer.sentence(closing.VERDICTS, side)
    return writer.write(writer.dice.fresh(closing.VERDICT_PAIRS, writer.used)[0 if side > 0 else 1], side)


def review(dice: Dice) -> tuple[str, str]:
    """A review of two to seven sentences and its label.

    The side is what the reviewer means. A weak conviction brings a concession to the other side, which comes
    first and is answered. Reviewers in two minds say as much for as against, and only lean to their label.
    """
    side = 1 if dice.chance(0.5) else -1
    conviction = dice.uniform(0.1, 1.0)
    writer = Reviewer(dice)
    frame, aside = _frame(writer)
    if dice.chance(0.09):
        body = _two_minds(writer, side)
        side = side if dice.chance(0.7) else -side
    else:
        length = dice.weighted({1: 8, 2: 28, 3: 38, 4: 26})
        body = [opinion(writer, side) for _ in range(length)]
        if dice.chance(0.6 - 0.5 * conviction):
            against = (
                writer.sentence(words.CONCESSIONS, -side) if dice.chance(0.6) else opinion(writer, -side)
            )
            body = _answered(dice, [against], body)
        if dice.chance(0.7) or len(frame) + len(body) < 2:
            body.append(verdict(writer, side))
    if aside and len(body) > 2 and dice.chance(0.25):
        body.insert(len(body) - 1, aside)
    elif aside:
        frame.append(aside)
    return _layout(dice, frame, body), "positive" if side > 0 else "negative"


def _two_minds(writer: Reviewer, side: int) -> list[str]:
    """As many sentences against as for, and no verdict."""
    each = writer.dice.between(1, 2)
    against = [opinion(writer, -side) for _ in range(each)]
    return _answered(writer.dice, against, [opinion(writer, side) for _ in range(each)])


def _answered(dice: Dice, first: list[str], then: list[str]) -> list[str]:
    """The sentences of one side and, after a connective, those of the other."""
    start = then[0] if then[0].startswith(NO_TURN) else f"{dice.pick(words.TURNS)} {_lower(then[0])}"
    return [*first, start, *then[1:]]


def _frame(writer: Reviewer) -> tuple[list[str], str]:
    """What comes before the opinions and takes no side, and an aside that may come among them."""
    banks = {scenes.CIRCUMSTANCES: 0.45, scenes.PREMISES: 0.5}
    frame = [writer.sentence(bank) for bank, likely in banks.items() if writer.dice.chance(likely)]
    return frame, writer.sentence(scenes.ASIDES) if writer.dice.chance(0.35) else ""


def _lower(sentence: str) -> str:
    """The sentence as it reads after a connective: a small first letter, except for "I"."""
    return sentence if sentence.startswith("I ") else sentence[0].lower() + sentence[1:]


def _layout(dice: Dice, frame: list[str], body: list[str]) -> str:
    """Sentences joined as they look on a film site: HTML breaks, double spaces, the odd raised voice."""
    if dice.chance(0.06):
        body[-1] = body[-1].rstrip(".") + "!" * dice.between(1, 3)
    last = "<br /><br />" if len(body) > 2 and dice.chance(0.15) else " "
    gap = dice.weighted({" ": 62, "<br /><br />": 30, "  ": 8}) if frame else ""
    text = " ".join(frame) + gap + " ".join(body[:-1]) + (last if body[:-1] else "") + body[-1]
    stray = {text: 90, text + " ": 4, " " + text: 3, text + "\n": 1, text.replace(". ", ".  ", 1): 2}
    return dice.weighted(stray)

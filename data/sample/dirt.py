"""The dirt that real files carry: blank texts, missing labels, repeated headers and rows."""

from __future__ import annotations

from banks import Dice

Rows = list[list[str]]


def soil_imdb(dice: Dice, rows: Rows) -> Rows:
    """About one row in a hundred spoilt, a few rows repeated, a header in the middle."""
    blanks = ("", "   ", "<br />", "<br /><br />", "\t", "\u3000")
    for text in blanks * 2:
        dice.pick(rows)[0] = text
    for _ in range(6):
        dice.pick(rows)[1] = ""
    for _ in range(8):
        row = dice.pick(rows)
        row[0] = row[0].replace(". ", ".\n", 1)
    for _ in range(6):
        row = dice.pick(rows)
        row[0] = f'{row[0].rstrip()} My neighbour called it "different".'
    _repeat(dice, rows, label=1, texts=10, other=("positive", "negative"))
    rows.insert(dice.between(100, len(rows)), ["review", "sentiment"])
    return rows


def soil_douban(dice: Dice, rows: Rows) -> Rows:
    """About one row in a hundred spoilt, a few rows repeated, a header in the middle."""
    for text in ("", "   ", "\u3000\u3000", "\n") * 3:
        dice.pick(rows)[2] = text
    for star in ("None", "") * 8:
        dice.pick(rows)[1] = star
    for _ in range(5):
        dice.pick(rows)[0] = ""
    for number in range(24):
        row = dice.pick(rows)
        middle = ("\n", "\u3000")[number % 2]
        row[2] = row[2].replace("，", middle, 1).replace("。", "。" + middle, 1)
    for _ in range(8):
        row = dice.pick(rows)
        row[2] = row[2].rstrip(" \n。！.…～") + dice.pick(
            ('，号称"年度期待"', '，朋友圈都说"必看"', "，“匠心”二字就这么用？")
        )
    _repeat(dice, rows, label=1, texts=24, other=("2", "3", "4"))
    rows.insert(dice.between(100, len(rows)), ["Movie_Name_CN", "Star", "Comment"])
    return rows


def _repeat(dice: Dice, rows: Rows, label: int, texts: int, other: tuple[str, ...]) -> None:
    """Insert copies of some rows elsewhere; every third copy may carry another label."""
    for number in range(texts):
        copy = list(dice.pick(rows))
        if number % 3 == 0:
            copy[label] = dice.pick(other)
        rows.insert(dice.between(0, len(rows)), copy)

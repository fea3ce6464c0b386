"""Write the two sample corpora, imdb.csv and douban.csv, beside this file.

Run ``python data/sample/generate.py``. The bytes are the same on every run and machine.
"""

from __future__ import annotations

import csv
from pathlib import Path

import chinese
import english
from banks import Dice
from chinese_films import FILMS, Film
from dirt import soil_douban, soil_imdb

ENGLISH_ROWS = 2300
CHINESE_ROWS = 4600
# Where one star ends and the next begins on a standard normal scale: 6, 11, 31, 34 and 18 % of the stars.
STAR_EDGES = (-1.555, -0.954, -0.050, 0.915)
OPINION_SPREAD = 0.82
STAR_NOISE = 0.34


def imdb_rows(dice: Dice) -> list[list[str]]:
    """The rows ``review, sentiment``, a few of them dirty."""
    rows = [list(english.review(dice)) for _ in range(ENGLISH_ROWS)]
    return soil_imdb(dice, rows)


def douban_rows(dice: Dice) -> list[list[str]]:
    """The rows ``ID, Movie_Name_CN, Star, Comment``, a few of them dirty."""
    shares = {film: film.share for film in FILMS}
    rows = []
    for film in [dice.weighted(shares) for _ in range(CHINESE_ROWS)]:
        level, star = _opinion(dice, film)
        rows.append([film.title, str(star), chinese.comment(dice, film, level)])
    rows = soil_douban(dice, rows)
    return [["ID" if row[1] == "Star" else str(number), *row] for number, row in enumerate(rows)]


def _opinion(dice: Dice, film: Film) -> tuple[float, int]:
    """What a viewer means (a level around 1 to 5) and the star given, which strays from it."""
    meant = film.quality + OPINION_SPREAD * dice.normal()
    given = meant + STAR_NOISE * dice.normal()
    return _level(meant), 1 + sum(given > edge for edge in STAR_EDGES)


def _level(opinion: float) -> float:
    """The opinion on the scale of stars: piecewise linear, 1.5 at the first edge to 4.5 at the last."""
    low, high = STAR_EDGES[0], STAR_EDGES[-1]
    if opinion < low:
        return max(0.7, 1.5 + (opinion - low) / 0.6)
    if opinion > high:
        return min(5.3, 4.5 + (opinion - high) / 0.9)
    below = sum(opinion > edge for edge in STAR_EDGES[1:])
    start, stop = STAR_EDGES[below], STAR_EDGES[below + 1]
    return 1.5 + below + (opinion - start) / (stop - start)


def write_csv(path: Path, header: list[str], rows: list[list[str]]) -> None:
    """UTF-8 without a byte-order mark, line feeds at the ends, quotes only where needed."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main(folder: Path) -> None:
    """Write both files into the folder."""
    write_csv(folder / "imdb.csv", ["review", "sentiment"], imdb_rows(Dice(20)))
    write_csv(folder / "douban.csv", ["ID", "Movie_Name_CN", "Star", "Comment"], douban_rows(Dice(12)))


if __name__ == "__main__":
    main(Path(__file__).resolve().parent)

from __future__ import annotations

from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont

from features.corpus.labels import Labels, class_labels, rating_labels
from pipeline.evaluation.predictions import constant_predictions
from pipeline.plots.figures import plot_confusion, plot_distribution
from pipeline.plots.style import chinese_font, label_colours


def test_the_packaged_font_holds_the_characters_of_the_sample() -> None:
    """Every Chinese character of the bundled comments, and Latin letters, have a glyph."""
    sample = Path(__file__).resolve().parents[2] / "data" / "sample" / "douban.csv"
    wanted = {
        c for c in sample.read_text("utf-8") if "\u4e00" <= c <= "\u9fff" or (c.isascii() and c.isalpha())
    }
    with TTFont(chinese_font()) as font:
        missing = {character for character in wanted if ord(character) not in font.getBestCmap()}
    assert len(wanted) > 500
    assert missing == set()


def test_figures_draw_chinese_without_a_missing_glyph(tmp_path: Path) -> None:
    """Drawing Chinese labels raises no warning, which matplotlib gives for every box it draws."""
    labels = Labels(("很差", "一般", "力荐"), low=0, ordered=False)
    predictions = constant_predictions(np.arange(3), np.array([0, 1, 2]), 1, 0, 3)
    plot_confusion(tmp_path / "a.png", predictions, labels, "豆瓣短评")
    plot_distribution(tmp_path / "b.png", predictions, labels, "评分分布")
    assert (tmp_path / "a.png").stat().st_size > 5000
    assert (tmp_path / "b.png").stat().st_size > 5000


def test_equal_figures_are_equal_files(tmp_path: Path) -> None:
    """A figure drawn twice gives the same bytes, so that nothing downstream looks changed."""
    labels = rating_labels(1, 5).labels
    predictions = constant_predictions(np.arange(5), np.arange(1, 6), 4, 1, 5)
    for name in ("a", "b"):
        plot_confusion(tmp_path / f"{name}.png", predictions, labels, "twice")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_every_label_has_a_colour_of_its_own() -> None:
    """Ratings and classes, few or many, never share a colour."""
    for labels in (rating_labels(1, 5).labels, class_labels(list("abcdefghijkl")).labels):
        assert len(set(label_colours(labels))) == labels.size

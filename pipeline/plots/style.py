"""The style of every figure: PNG files in a font that can show Chinese, SVG charts for pages, colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from features.corpus.labels import Labels
from features.errors import InputError


def chinese_font() -> Path:
    """Path of Noto Sans SC (OFL), which also holds Latin, as shipped inside the package zhplot.

    Only the file is used; the package is not imported, since importing it changes matplotlib's settings.

    Raises:
        InputError: the package is not installed.
    """
    try:
        files = metadata.files("zhplot") or []
    except metadata.PackageNotFoundError:
        raise InputError(
            "the package zhplot, which carries the Chinese font, is missing; `make setup`"
        ) from None
    for file in files:
        if file.name == "NotoSansSC-Regular.ttf":
            return Path(str(file.locate()))
    raise InputError("the package zhplot holds no NotoSansSC-Regular.ttf; reinstall it with `make setup`")


if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SETTINGS: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "legend.frameon": False,
    "text.parse_math": False,  # a label may hold a dollar sign
}

# Okabe & Ito (2008): eight colours that people with any common colour blindness tell apart.
_CLASSES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_ON_DARK = {"#0072B2": "#4AA3DF", "#000000": "#FFFFFF"}


def label_colours(labels: Labels, *, dark: bool = False) -> tuple[str, ...]:
    """One colour a label: steps of viridis for ratings (their order stays visible), Okabe-Ito for classes.

    dark: for a dark ground, where the deepest colours would vanish, as the palest do on white.
    """
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    if not labels.ordered and labels.size <= len(_CLASSES):
        return tuple(_ON_DARK.get(c, c) if dark else c for c in _CLASSES[: labels.size])
    low, high = (0.3, 1.0) if dark else (0.0, 0.92)
    steps = [low + (high - low) * k / max(labels.size - 1, 1) for k in range(labels.size)]
    return tuple(to_hex(colormaps["viridis"](step)) for step in steps)


# The colours of charts that stand on a page: the light theme's, which a page replaces by its own variables.
INK, QUIET, RULE, ACCENT, PAPER = "#1d1f23", "#595e66", "#dedbd4", "#1b5a9c", "#fbfaf8"


@contextmanager
def figure(path: Path, width: float = 6.0, height: float = 4.0) -> Iterator[Figure]:
    """A figure, sized in inches, that becomes a PNG (150 dots an inch) when the block ends without error."""
    from matplotlib import font_manager, rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    font = chinese_font()
    font_manager.fontManager.addfont(str(font))
    name = font_manager.FontProperties(fname=str(font)).get_name()
    # The second font fills in what the first lacks.
    with rc_context({**_SETTINGS, "font.family": [name, "DejaVu Sans"]}):
        result = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(result)
        yield result
        path.parent.mkdir(parents=True, exist_ok=True)
        # matplotlib's version stays out of the file: equal figures are equal bytes, and DVC sees no change.
        result.savefig(path, dpi=150, metadata={"Software": None})


@contextmanager
def chart(target: Path | TextIO, name: str, width: float, height: float) -> Iterator[Figure]:
    """A figure, sized in px, that becomes an SVG with text as text when the block ends without error.

    name: makes the ids inside unlike those of other charts on one page; equal charts are equal bytes.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    colours = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), QUIET)
    settings: dict[Any, Any] = {
        **_SETTINGS, **colours, "font.size": 10, "axes.edgecolor": QUIET, "axes.facecolor": "none",
        "axes.axisbelow": True, "grid.color": RULE, "axes.spines.left": False,
        "ytick.left": False, "savefig.facecolor": "none", "svg.fonttype": "none", "svg.hashsalt": name,
    }  # fmt: skip
    with rc_context(settings):
        result = Figure(figsize=(width / 96, height / 96))
        FigureCanvasSVG(result)
        yield result
        if isinstance(target, Path):
            target.parent.mkdir(parents=True, exist_ok=True)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        result.savefig(target, format="svg", metadata=nothing)

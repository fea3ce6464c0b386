"""Loss over epochs, a small picture a run."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.learning.fits import Fit
from pipeline.report.gather import CorpusResults
from pipeline.report.rendering import number
from pipeline.report.scales import Scale

WIDTH, HEIGHT = 300, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 34


@dataclass(frozen=True)
class Curves:
    """Losses of one run's first seed as SVG points; `kept` is the epoch that was kept.

    unfinished: the last epoch allowed was the best, so that more would probably have been better.
    """

    run: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    train: str
    validation: str
    kept_x: float
    kept_y: float
    kept: int
    epochs: int
    low: str
    high: str
    validation_accuracy: float
    unfinished: bool


def curves(results: CorpusResults) -> tuple[Curves, ...]:
    """One picture a run."""
    return tuple(
        _curves(run.name, run.fits[run.params.seeds[0]], run.training.epochs) for run in results.runs
    )


def _curves(name: str, fit: Fit, allowed: int) -> Curves:
    losses = [value for epoch in fit.epochs for value in (epoch.train_loss, epoch.validation_loss)]
    x = Scale(0, max(len(fit.epochs) - 1, 1), _LEFT, WIDTH - _RIGHT)
    y = Scale(min(losses), max(losses), HEIGHT - _BOTTOM, _TOP)
    kept = fit.epochs[fit.best]
    return Curves(
        run=name,
        width=WIDTH,
        height=HEIGHT,
        left=_LEFT,
        right=WIDTH - _RIGHT,
        top=_TOP,
        bottom=HEIGHT - _BOTTOM,
        train=" ".join(f"{x(e.number)},{y(e.train_loss)}" for e in fit.epochs),
        validation=" ".join(f"{x(e.number)},{y(e.validation_loss)}" for e in fit.epochs),
        kept_x=x(kept.number),
        kept_y=y(kept.validation_loss),
        kept=fit.best + 1,
        epochs=len(fit.epochs),
        low=number(min(losses), 2),
        high=number(max(losses), 2),
        validation_accuracy=kept.validation_accuracy,
        unfinished=fit.best + 1 == allowed,
    )

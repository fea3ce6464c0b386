"""Draw the losses of pretraining runs side by side.

    python -m encoders.curves --out losses.png mini-zh=runs/zh-1/log.csv mini-zh=runs/zh-2/log.csv

Logs under one name are stages of one encoder: they share a panel and follow each other.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from encoders.options import named_path
from features.errors import InputError

TITLES = {"mlm": "masked pieces", "bag": "bag of pieces", "labels": "labels", "teacher": "teacher's states"}


def read_log(path: Path) -> dict[str, list[float]]:
    """The columns of a log.csv. Raises InputError where there is none."""
    if not path.is_file():
        raise InputError(f"no log at {path}; expected the log.csv of a pretraining run")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def draw(panels: dict[str, list[dict[str, list[float]]]], out: Path) -> None:
    """One panel an encoder, one line a loss, a grey rule where a new stage begins."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(panels), figsize=(5 * len(panels), 3.4), squeeze=False)
    for axis, (name, stages) in zip(axes[0], panels.items(), strict=True):
        begin = 0.0
        for number, stage in enumerate(stages):
            steps = [begin + step for step in stage["step"]]
            for colour, (loss, title) in enumerate(TITLES.items()):
                if loss in stage:
                    known = axis.get_legend_handles_labels()[1]
                    label = None if title in known else title
                    axis.plot(steps, stage[loss], color=f"C{colour}", label=label, linewidth=1.2)
            begin = steps[-1]
            if number + 1 < len(stages):
                axis.axvline(begin, color="0.6", linewidth=0.8)
        axis.set(title=name, xlabel="step", ylabel="loss (nats; teacher: squared error)", ylim=(0, None))
        axis.legend(frameon=False, fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.18))
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(out, dpi=110)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="encoders.curves", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="PNG to write")
    parser.add_argument("logs", type=named_path, nargs="+", metavar="NAME=LOG", help="log.csv of each stage")
    options = parser.parse_args(arguments)
    panels: dict[str, list[dict[str, list[float]]]] = {}
    try:
        for name, path in options.logs:
            panels.setdefault(name, []).append(read_log(Path(path)))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    draw(panels, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

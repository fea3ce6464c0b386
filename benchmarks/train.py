"""What training costs, against the usual way to do the same: ratios in interleaved rounds.

    python -m benchmarks.train linear    [--rows 50000] [--dim 768] [--rounds 5]
    python -m benchmarks.train attention [--texts 1500] [--dim 768] [--rounds 5] [--folder DIR]

`linear`: the probe's minimum against scikit-learn's `LogisticRegression` (lbfgs, default tolerance), same
features, same objective, to the same loss. `attention`: one epoch of the self-attentive head against a torch
`DataLoader` over an h5py file. Each prints processor time and wall-clock time after one untimed round; on a
machine that others use as well only the first says much.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="what", required=True)
    linear = commands.add_parser("linear")
    linear.add_argument("--rows", type=int, default=50_000)
    attention = commands.add_parser("attention")
    attention.add_argument("--texts", type=int, default=1500, help="of about 230 tokens, as reviews are")
    attention.add_argument("--folder", type=Path, default=None, help="where to write; a temporary folder")
    for command in (linear, attention):
        command.add_argument("--dim", type=int, default=768)
        command.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if given.what == "linear":
        from benchmarks.linear_probe import compare

        compare(given.rows, given.dim, given.rounds)
    else:
        from benchmarks.attention_epoch import compare_epochs

        compare_epochs(given.texts, given.dim, given.rounds, given.folder)


if __name__ == "__main__":
    main()

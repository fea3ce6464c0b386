"""What encoding really cost, noted beside the vectors.

A run that finds all texts in the store measures nothing. So each run that encoded something leaves a line in
the store, next to the shards it wrote, and what is reported is the sum of those lines.

    store/<manifest key>/encoding.jsonl
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from features.store.extraction import ExtractionSummary

LEDGER = "encoding.jsonl"


@dataclass(frozen=True)
class EncodeCost:
    """Runs that encoded something with one encoder, whatever the corpus, added up.

    texts, tokens: encoded by them.
    seconds: wall-clock time of all of them, the device's check and writing included.
    machines: what they ran on, each once.
    """

    texts: int = 0
    tokens: int = 0
    seconds: float = 0.0
    machines: tuple[str, ...] = ()

    @property
    def rate(self) -> float | None:
        """Tokens a second; None where no run was timed."""
        return self.tokens / self.seconds if self.tokens and self.seconds > 0 else None

    def seconds_for(self, tokens: int) -> float | None:
        """What so many tokens take at that rate."""
        return tokens / self.rate if self.rate else None


def note_encoding(folder: Path, summary: ExtractionSummary, machine: str) -> None:
    """Add a run to the ledger of `store/<key>`, if it encoded anything."""
    if not summary.new:
        return
    run = EncodeCost(summary.new, summary.new_tokens, summary.seconds, (machine,))
    with (folder / LEDGER).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(run)) + "\n")


def encode_cost(folder: Path) -> EncodeCost:
    """The sum of a ledger; a line that a kill cut short is left out."""
    try:
        lines = (folder / LEDGER).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return EncodeCost()
    runs = [run for line in lines if (run := _parse(line)) is not None]
    return EncodeCost(
        texts=sum(run.texts for run in runs),
        tokens=sum(run.tokens for run in runs),
        seconds=sum(run.seconds for run in runs),
        machines=tuple(dict.fromkeys(machine for run in runs for machine in run.machines)),
    )


def describe_machine(device: str) -> str:
    """A device in words: how many threads of a CPU, which GPU."""
    import torch

    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    threads = torch.get_num_threads()
    return f"{device}, {threads} thread{'s' if threads != 1 else ''}"


def _parse(line: str) -> EncodeCost | None:
    try:
        data = json.loads(line)
        return EncodeCost(
            int(data["texts"]), int(data["tokens"]), float(data["seconds"]), tuple(map(str, data["machines"]))
        )
    except (ValueError, KeyError, TypeError):
        return None

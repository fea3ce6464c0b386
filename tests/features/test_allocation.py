"""Memory of a process that encodes for hours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from features.corpus.texts import Text
from features.encoder import device as allocation
from features.encoder.encoder import Encoder, EncoderSpec
from tests.features.tiny_models import write_tiny

ROOT = Path(__file__).resolve().parents[2]
_PRODUCTS = """
import torch
from features.encoder.device import bound_kernel_cache, keep_freed_memory, release_freed_memory

def resident():
    release_freed_memory()
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("RssAnon")).split()[1]) / 1024

keep_freed_memory()
bound_kernel_cache()
torch.set_num_threads(1)
for count in range(500):
    if count == 70:
        before = resident()
    one = torch.ones(1 + count, 4 + count % 29, 32, dtype=torch.bfloat16)
    torch.bmm(one, one.transpose(1, 2))
print(resident() - before)
"""


def test_the_environment_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """A capacity that is set stays, one that is not becomes 64."""
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "512")
    monkeypatch.delenv("LRU_CACHE_CAPACITY", raising=False)
    allocation.bound_kernel_cache()
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "512"
    assert os.environ["LRU_CACHE_CAPACITY"] == "64"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_products_of_ever_new_sizes_do_not_pile_up() -> None:
    """After 70 sizes of products 430 more leave the process about as large; kept, they would take 100 MiB."""
    done = subprocess.run(
        [sys.executable, "-c", _PRODUCTS], check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert float(done.stdout) < 40


def test_freed_memory_goes_back_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoding hands it back after a number of tokens, not after each batch."""
    released: list[int] = []
    monkeypatch.setattr("features.encoder.encoder.release_freed_memory", lambda: released.append(1))
    monkeypatch.setattr("features.encoder.encoder._KEPT_TOKENS", 100)
    encoder = Encoder.load(EncoderSpec(str(write_tiny(tmp_path, "bert")), None, 16), device="cpu")
    batches = list(encoder.encode([Text("good film " * (n % 7)) for n in range(1, 90)], budget=40))
    tokens = sum(int(batch.lengths.sum()) for batch in batches)
    assert 1 <= len(released) <= tokens // 100 < len(batches)

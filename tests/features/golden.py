"""Golden vectors: what the bundled encoders say about a few texts under one version number of the vectors.

    python -m tests.features.golden

writes `golden.safetensors` again, from float32 on the CPU. It refuses to while the vectors differ from the
file's and `features.store.identity.VECTORS_VERSION` is the file's: caches that were made before would be
taken for what they are not.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import save_file

from features.corpus.texts import Text
from features.encoder.encoder import Encoder, EncoderSpec
from features.store.identity import VECTORS_VERSION, digest_bytes
from features.store.shards import dequantise, quantise

FILE = Path(__file__).with_name("golden.safetensors")
ENCODERS = Path(__file__).parents[2] / "encoders"
NAMES = ("mini-en", "mini-zh")
LAYERS = (0, 1, 2, 3, 4)
MAX_LENGTH = 24
TEXTS = (
    Text("A slow start, but the last twenty minutes are worth the ticket."),
    Text("What does the title promise?", "Nothing that the film does not keep."),
    Text("故事很一般，演员却非常出色，看完还想再看一遍。"),
    Text("I went in with low hopes; the cast surprised me. " * 6),
)

# Largest relative error |found - golden| / |golden|, root mean square over all vectors: of pooled vectors,
# which are kept in float32, and of tokens, kept in float16. Measured: 7e-7 and 1.4e-5 in float32 between
# AVX2 and AVX512, 3e-3 and 3.5e-3 in bfloat16.
TOLERANCES = {
    "float32": (5e-6, 1e-4),
    "bfloat16": (4.5e-3, 5e-3),
    "float16": (1e-3, 1e-3),
}

Arrays = dict[str, npt.NDArray[Any]]


def compute(precision: str, device: str = "cpu") -> Arrays:
    """What this code makes of the texts: pieces, pooled vectors, and three tokens a text, at every layer."""
    found: Arrays = {}
    for name in NAMES:
        spec = EncoderSpec(str(ENCODERS / name), None, MAX_LENGTH, LAYERS)
        encoder = Encoder.load(spec, device=device, precision=precision)
        (batch,) = encoder.encode(TEXTS, budget=MAX_LENGTH * len(TEXTS))
        found[f"{name}/texts"] = batch.index
        found[f"{name}/lengths"] = batch.lengths
        found[f"{name}/piece_ids"] = batch.piece_ids
        found[f"{name}/char_spans"] = batch.char_spans
        found[f"{name}/segments"] = batch.segments
        found[f"{name}/pooled"] = batch.pooled
        ends = np.cumsum(batch.lengths)
        kept = np.concatenate([ends - batch.lengths, ends - batch.lengths // 2, ends - 1])
        # Safetensors writes memory as it lies.
        found[f"{name}/tokens"] = np.ascontiguousarray(np.stack(batch.tokens)[:, kept])
    return found


def int8_digest(arrays: Arrays) -> str:
    """A digest of what the tokens are in 8 bits, and of what is read back."""
    written = b""
    for name in NAMES:
        for layer in arrays[f"{name}/tokens"]:
            values, scales = quantise(layer)
            written += values.tobytes() + scales.tobytes() + dequantise(values, scales).tobytes()
    return digest_bytes(written)


def read() -> tuple[Arrays, Mapping[str, str]]:
    """The file's arrays, and its metadata: `version` of the vectors, and `int8`, a digest."""
    with safe_open(FILE, "numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def differences(found: Arrays, golden: Arrays, precision: str) -> list[str]:
    """One line for each array that is not what the file says, as near as a precision allows."""
    pooled, tokens = TOLERANCES[precision]
    lines = []
    for name, wanted in golden.items():
        kind = name.partition("/")[2]
        got = found[name]
        if got.shape != wanted.shape or got.dtype != wanted.dtype:
            lines.append(f"{name} is {got.dtype}{got.shape}, not {wanted.dtype}{wanted.shape}")
        elif kind in ("pooled", "tokens"):
            error, allowed = relative_error(got, wanted), pooled if kind == "pooled" else tokens
            if not error <= allowed:
                lines.append(f"{name} is off by {error:.1e}, more than {allowed:.0e}")
        elif not np.array_equal(got, wanted):
            lines.append(f"{name} differs")
    return lines


def relative_error(found: npt.NDArray[Any], golden: npt.NDArray[Any]) -> float:
    """Root mean square over vectors of |found - golden| / |golden|, in float64."""
    a, b = found.astype(np.float64), golden.astype(np.float64)
    errors = np.linalg.norm(a - b, axis=-1) / np.linalg.norm(b, axis=-1)
    return float(np.sqrt(np.square(errors).mean()))


def main() -> None:
    """Write the file again, or say why not."""
    found = compute("float32")
    if FILE.exists():
        golden, metadata = read()
        changed = differences(found, golden, "float32")
        if int8_digest(golden) != metadata["int8"]:
            changed.append("8 bits differ")
        if changed and metadata["version"] == str(VECTORS_VERSION):
            sys.exit(
                f"the vectors changed ({'; '.join(changed)}); raise VECTORS_VERSION in "
                f"features/store/identity.py, which is {VECTORS_VERSION}, and run this again"
            )
    save_file(found, FILE, {"version": str(VECTORS_VERSION), "int8": int8_digest(found)})
    print(f"{FILE.name}: version {VECTORS_VERSION}, {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

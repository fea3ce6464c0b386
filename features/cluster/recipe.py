"""How an actor comes by its encoder: the same one as the driver's, proven on the actor's own device."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from features.errors import InputError
from features.store.identity import Manifest

if TYPE_CHECKING:
    from features.encoder.encoder import EncoderSpec
    from features.encoder.parity import Vectors
    from features.store.extraction import TextEncoder


class Recipe(Protocol):
    """What is sent to an actor in place of an encoder."""

    def expect(self) -> object:
        """What every actor's vectors are held against, computed once by the driver; picklable, or None."""

    def build(self, expected: object) -> TextEncoder:
        """Make the encoder where this is called.

        Args:
            expected: what `expect` gave the driver.

        Raises:
            InputError: it cannot be made there, or its vectors are not what they should be.
        """


@dataclass(frozen=True)
class FrozenRecipe:
    """A `features.encoder.encoder.Encoder` that passes the parity gate before it is handed out.

    spec: which encoder, and what of it is wanted.
    manifest: what its vectors must be computed by, as the driver knows it.
    folder: the driver's working folder; relative names of models are meant from there.
    threads: CPU threads.
    environment: variables of the driver that Ray does not pass on.
    """

    spec: EncoderSpec
    manifest: Manifest
    folder: Path
    threads: int
    environment: tuple[tuple[str, str], ...] = ()

    def expect(self) -> list[Vectors]:
        """The gate's texts by plain CPU float32, so that no actor has to import Transformers for them."""
        from features.encoder.encoder import Encoder
        from features.encoder.parity import expected_vectors

        return expected_vectors(Encoder.load(self.spec, device="cpu"))

    def build(self, expected: object) -> TextEncoder:
        """Load it, compare its identity with the driver's, and send it through the parity gate."""
        os.environ.update(self.environment)  # before what reads them at import
        from features.encoder.device import give_products_to_half
        from features.encoder.encoder import Encoder
        from features.encoder.parity import check_parity

        if self.folder.is_dir():  # elsewhere Ray has put the project's files into the working folder itself
            os.chdir(self.folder)
        encoder = Encoder.load(self.spec, threads=self.threads)
        give_products_to_half(encoder.precision)
        if encoder.manifest.key != self.manifest.key:
            raise InputError(_differing(self.manifest, encoder.manifest))
        check_parity(encoder, cast("list[Vectors] | None", expected))
        return encoder


def _differing(wanted: Manifest, found: Manifest) -> str:
    details = "; ".join(
        f"{name} is {getattr(found, name)}, the driver's {getattr(wanted, name)}"
        for name in wanted.difference(found)
    )
    return (
        f"its vectors would not be the driver's: {details}; use the same files everywhere, and where nodes "
        f"differ in what they compute in, set ENCODE_ONCE_PRECISION=float32"
    )

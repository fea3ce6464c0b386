"""Structured self-attention over token embeddings (Lin et al. 2017, arXiv 1703.03130).

A = softmax(W2 tanh(W1 H^T)), (R, L): R hops, each a distribution over a text's L tokens; M = A H, (R, D).
The flattened M is scored, through a hidden layer if asked for. H is standardised.
"""

from __future__ import annotations

from heads.parts.attention import HopHead


class SelfAttentive(HopHead):
    """R attention hops over the top layer's tokens, then a linear layer; options are those of `HopHead`."""

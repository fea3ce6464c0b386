"""A learned mix of all cached layers' tokens, then multi-hop attention (arXiv 1802.05365 and 1703.03130).

H = gamma sum_k softmax(w)_k (H_k - mean_k) / scale_k, (L, D); A = softmax(W2 tanh(W1 H^T)), (R, L); the
flattened A H is scored. It is a file of its own beside `layer_mix` because it reads tokens, and that one
need not.
"""

from __future__ import annotations

from heads.parts.attention import HopHead


class LayerMixAttention(HopHead):
    """Softmax-weighted sum of K layers' tokens, pooled by R hops; options are those of `HopHead`."""

    mixes = True

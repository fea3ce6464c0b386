from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from features.errors import InputError
from pipeline.tsne import embed


def clusters() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    label = np.repeat(np.arange(3), 40)
    return (random.normal(size=(120, 16)) + label[:, None] * 6).astype(np.float32), label


def test_neighbours_in_the_map_are_neighbours_in_the_vectors() -> None:
    """Points that lie together in the map share the cluster of their vectors."""
    vectors, label = clusters()
    points = embed(vectors, perplexity=10, seed=1)
    assert points.shape == (120, 2)
    nearest = NearestNeighbors(n_neighbors=6).fit(points).kneighbors(points)[1][:, 1:]
    assert (label[nearest] == label[:, None]).mean() > 0.95


def test_a_seed_gives_the_same_map_again() -> None:
    """The map depends on vectors, perplexity and seed alone."""
    vectors, _ = clusters()
    assert np.array_equal(embed(vectors, perplexity=10, seed=1), embed(vectors, perplexity=10, seed=1))


def test_too_few_texts_say_what_to_lower() -> None:
    """A perplexity that the number of texts cannot carry is an error with the remedy."""
    with pytest.raises(InputError, match="perplexity 30 needs more than 90 texts, and there are 12"):
        embed(np.zeros((12, 4), np.float32), perplexity=30, seed=1)

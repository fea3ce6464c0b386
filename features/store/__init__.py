"""The store of vectors: identity, shards, index, extraction and reading."""

"""Training a head on the cache: batches, optimisers, early stopping."""

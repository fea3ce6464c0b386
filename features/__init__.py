"""From a corpus to cached embeddings: rows, tokens, the frozen encoder, the HDF5 store."""

"""A labelled corpus: reading tables, cleaning, labels, splits, and the corpus file."""

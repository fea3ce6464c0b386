"""From table rows to the numbered rows of a corpus, with memory that does not hold the texts."""

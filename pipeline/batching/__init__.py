"""What `pipeline.padding` measures: a sample of a corpus, a head on its vectors, and a page to show both."""

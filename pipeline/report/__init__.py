"""The comparison report: one HTML file a corpus and a front page, each complete in itself."""

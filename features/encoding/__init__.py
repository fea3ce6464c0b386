"""The frozen encoder: texts in, vectors out."""

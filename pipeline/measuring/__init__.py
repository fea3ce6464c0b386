"""Figures over predictions."""

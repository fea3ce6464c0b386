"""Figures over predictions: metrics, intervals, calibration, attention per word."""

"""From raw text to a prediction, by a trained run: `Predictor.load("my-run").predict(["a text"])`."""

from __future__ import annotations

from pipeline.inference.predictor import Prediction, Predictor

__all__ = ["Prediction", "Predictor"]

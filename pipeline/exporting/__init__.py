"""A trained run as one ONNX model with its tokenizer, for programs without torch and this project."""

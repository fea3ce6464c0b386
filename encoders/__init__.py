"""The bundled mini encoders, and the program that pretrained them."""

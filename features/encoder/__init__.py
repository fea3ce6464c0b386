"""The frozen encoder: tokenizer, packed forward, devices and the parity gate."""

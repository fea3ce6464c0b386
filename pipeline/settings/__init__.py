"""What `params.yaml` and the presets may say."""

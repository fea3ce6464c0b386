"""What every stage shares: `params.yaml`, the folders of results, how a stage starts, result files."""

"""The worker's parts, each by itself."""

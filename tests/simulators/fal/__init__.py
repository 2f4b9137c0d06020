"""fal.ai's queue API, storage and result files on one base URL."""

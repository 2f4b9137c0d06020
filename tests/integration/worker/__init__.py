"""The workers: scripts in a real Redis, real processes, and the fal simulator."""

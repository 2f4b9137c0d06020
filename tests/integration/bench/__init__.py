"""The benchmark itself, in small: it counts right."""

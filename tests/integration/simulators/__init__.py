"""The simulators against the facts, and against clients that others wrote."""

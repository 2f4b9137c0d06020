"""The chaos test of ``make faults`` in small."""

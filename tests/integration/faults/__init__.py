"""The storm of ``make faults`` in small."""

"""Kill, stop and restart everything under load, and count what became of the requests: ``make faults``."""

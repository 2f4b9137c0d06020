"""Measure the worker and the polling schedules: ``make bench``."""

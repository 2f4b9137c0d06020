"""Tests with real processes, real Redis and HTTP on this machine."""

"""Tests of every level, and what they stand on: lab and simulators."""

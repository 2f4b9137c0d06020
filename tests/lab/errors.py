"""The one error a person using the lab sees."""


class LabError(Exception):
    """Something the lab can't do: one line that says what, and what cures it."""

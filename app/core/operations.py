"""What people can ask for."""

from enum import StrEnum


class Operation(StrEnum):
    """An operation on pictures; ``app/worker/models.py`` maps each to an endpoint at fal."""

    CREATE = "create"
    EDIT = "edit"
    MERGE = "merge"
    RETOUCH = "retouch"
    UPSCALE = "upscale"


VARIATION = "variation"
"""The parameter of an edit that wants its picture varied; the prompt is then what the picture was made from."""

PROMPT_MAX_LENGTH = 2000
"""Characters of a prompt, after trimming."""

MERGE_INPUTS_MIN, MERGE_INPUTS_MAX = 2, 10
"""Pictures that one merge takes."""

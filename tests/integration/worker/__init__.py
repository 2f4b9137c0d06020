"""The workers: scripts in a real Redis, real processes, and the fal simulator."""

import pytest

pytest.register_assert_rewrite("tests.integration.worker.harness")

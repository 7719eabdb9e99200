import pytest

# No test module; its assertions shall explain themselves all the same.
pytest.register_assert_rewrite("tests.channels.pages", "tests.channels.unsteady", "tests.channels.world")

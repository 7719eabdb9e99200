import pytest

# The suite that every store runs is no test module itself; its assertions shall explain themselves all the same.
pytest.register_assert_rewrite("tests.stores.conformance")

import pytest

# No test module; its assertions shall explain themselves all the same.
pytest.register_assert_rewrite("tests.stores.sqlite.files")

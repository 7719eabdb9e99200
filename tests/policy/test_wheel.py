"""The policies travel with the package."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from sharegate.policy.load import builtin_policies

TREE = Path(__file__).parents[2]


def build(target: str, directory: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(directory)],
        cwd=TREE,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return next(directory.iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


def sources() -> set[str]:
    return {path.relative_to(TREE / "policies").as_posix() for path in (TREE / "policies").rglob("*.yaml")}


def test_the_checkout_uses_its_own_policies() -> None:
    """Without a wheel the tree's `policies/` is what is loaded."""
    assert builtin_policies() == TREE / "policies"


def test_the_wheel_holds_every_policy_file(wheel: Path) -> None:
    """The built wheel carries all policy files inside the package."""
    names = zipfile.ZipFile(wheel).namelist()
    held = {name.removeprefix("sharegate/policies/") for name in names if name.startswith("sharegate/policies/")}
    assert held == sources()
    assert "routes/jupyter-server.yaml" in held


def test_an_installed_package_finds_and_loads_its_policies(wheel: Path, tmp_path: Path) -> None:
    """Unpacked somewhere else, the package uses the policies it came with, and they are sound."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "from sharegate.policy.load import builtin_policies, load_policies\n"
        "print(builtin_policies()); print(len(load_policies().policy.rules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    place, count = done.stdout.split()
    assert Path(place) == tmp_path / "site" / "sharegate" / "policies"
    assert int(count) > 100


def test_the_source_distribution_holds_every_policy_file(tmp_path: Path) -> None:
    """A wheel built through the sdist has them as well."""
    with tarfile.open(build("sdist", tmp_path)) as archive:
        held = {name.partition("/policies/")[2] for name in archive.getnames() if "/policies/" in name}
    assert {name for name in held if name.endswith(".yaml")} == sources()

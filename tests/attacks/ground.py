"""The rows of sharegate.prove as the tests ask them: filled for what tests.real.jupyter plants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sharegate.prove.ground import Ground

GROUND = Ground(
    root="sub/shared",
    mark="sgprove1234",
    file="sub/shared/data.csv",
    notebook="sub/shared/nb.ipynb",
    folder="sub/shared/inner",
    there="secret/secret.txt",
    there_folder="secret",
    beside="sub/shared2/sibling.txt",
    hidden="sub/shared/.hidden.txt",
    hidden_below="sub/shared/.hid/x.txt",
    link_file="sub/shared/link_secret.txt",
    link_folder="sub/shared/link_dir",
    link_below="sub/shared/link_dir/secret.txt",
)
# The server whose files the attacks change has more beside the share.
WORKSHOP = replace(
    GROUND,
    there="zqbeaver-folder/zqotter.txt",
    there_folder="zqbeaver-folder",
    link_file="sub/shared/link_there.txt",
)


def rows(table: Mapping[str, str], ground: Ground = GROUND) -> dict[str, str]:
    """Name → target. Nothing of a table is left out: the tests' ground has everything."""
    filled = {name: ground.fill(template) for name, template in table.items()}
    assert None not in filled.values(), filled
    return {name: str(target) for name, target in filled.items()}

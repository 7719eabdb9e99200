"""`sharegate demo`: the whole product on a sample project, in folders of its own."""

from sharegate.demo.stage import run

__all__ = ["run"]

"""What came of all probes, as JSON and as the tables of docs/http.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.probes.model import Mark, Probe, Verdict

PAGE = Path(__file__).parents[2] / "docs" / "http.md"
BEGIN, END = "<!-- probes: begin -->", "<!-- probes: end -->"
MARKS = (Mark.OK, Mark.DOUBTFUL, Mark.BAD)


@dataclass
class Results:
    """`versions`: peer → version. `verdicts`: probe's name → peer → verdict."""

    date: str
    versions: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, dict[str, Verdict]] = field(default_factory=dict)

    def counts(self, peer: str, names: set[str] | None = None) -> Mapping[Mark, int]:
        return Counter(
            given[peer].mark
            for name, given in self.verdicts.items()
            if peer in given and (names is None or name in names)
        )

    def clean(self, peer: str) -> bool:
        """Whether every probe that was run on it is ok."""
        return all(given[peer].mark is Mark.OK for given in self.verdicts.values() if peer in given)

    def as_json(self, probes: list[Probe]) -> dict[str, Any]:
        return {
            "date": self.date,
            "peers": self.versions,
            "counts": {
                peer: {mark.value: number for mark, number in self.counts(peer).items()} for peer in self.versions
            },
            "probes": [
                {
                    "name": probe.name,
                    "topic": probe.topic,
                    "asks": probe.asks,
                    "verdicts": {
                        peer: {"mark": verdict.mark.value, "sentence": verdict.sentence}
                        for peer, verdict in self.verdicts[probe.name].items()
                    },
                }
                for probe in probes
                if probe.name in self.verdicts
            ],
        }


def tables(results: Results, probes: list[Probe]) -> str:
    """The part of docs/http.md between its marks."""
    peers = list(results.versions)
    shown = ", ".join(f"{peer} {version}" for peer, version in results.versions.items())
    titles = " | ".join(peers)
    lines = [
        f"Run on {results.date}: {shown}; {len(probes)} probes. A cell of the first table is *ok / doubtful / bad*.",
        "",
        f"| topic | {titles} |",
        "|---|" + "---|" * len(peers),
    ]
    topics = list(dict.fromkeys(probe.topic for probe in probes))
    for topic in topics:
        names = {probe.name for probe in probes if probe.topic == topic}
        lines.append(f"| {topic} | " + " | ".join(_three(results.counts(peer, names)) for peer in peers) + " |")
    lines.append("| **all** | " + " | ".join(f"**{_three(results.counts(peer))}**" for peer in peers) + " |")
    for topic in topics:
        lines += ["", f"### {topic}", "", f"| probe | {titles} |", "|---|" + "---|" * len(peers)]
        for probe in probes:
            if probe.topic == topic:
                cells = " | ".join(_cell(results.verdicts[probe.name].get(peer)) for peer in peers)
                lines.append(f"| **{_plain(probe.name)}**. {_plain(probe.asks)} | {cells} |")
    return "\n".join(lines)


def _three(counts: Mapping[Mark, int]) -> str:
    if not any(counts.get(mark) for mark in MARKS):
        return "–"
    return " / ".join(str(counts.get(mark, 0)) for mark in MARKS)


def _cell(verdict: Verdict | None) -> str:
    if verdict is None or verdict.mark is Mark.NOT_APPLICABLE:
        return "–"
    mark = verdict.mark.value if verdict.mark is Mark.OK else f"**{verdict.mark.value}**"
    return f"{mark}: {_plain(verdict.sentence)}"


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def write(results: Results, probes: list[Probe], page: Path = PAGE) -> None:
    """Put the tables between the page's marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{tables(results, probes)}\n\n{END}{after}")

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.audit.chain import Fault, erased, opened, seal, verify
from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Sealed

_WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
_EVENTS = st.builds(
    AuditEvent,
    action=st.sampled_from(Action),
    outcome=st.sampled_from(Outcome),
    actor=st.sampled_from(["owner", "visitor", "stranger", "gate"]),
    at=st.floats(min_value=0, max_value=4e9),
    share=_WORDS,
    path=_WORDS,
    count=st.integers(min_value=0, max_value=2**53 - 1),
    name=_WORDS,
    address=_WORDS,
    agent=_WORDS,
)


def chained(events: list[AuditEvent], writer: str = "gate") -> list[Sealed]:
    sealed: list[Sealed] = []
    for event in events:
        previous = sealed[-1].digest if sealed else ""
        sealed.append(seal(event, writer=writer, seq=len(sealed) + 1, previous=previous))
    return sealed


def some(count: int, writer: str = "gate") -> list[Sealed]:
    return chained(
        [
            AuditEvent(action=Action.LINK_JOINED, actor="visitor", at=float(i), name=f"Ann {i}", address="192.0.2.0/24")
            for i in range(count)
        ],
        writer,
    )


def changed(sealed: Sealed, **fields: object) -> Sealed:
    return msgspec.structs.replace(sealed, **fields)


def first(events: list[Sealed], **options: object) -> tuple[int, Fault] | None:
    broken = verify(events, **options).first  # type: ignore[arg-type]
    return (broken.seq, broken.how) if broken else None


@given(st.lists(_EVENTS, max_size=8))
def test_what_was_sealed_verifies_and_opens(events: list[AuditEvent]) -> None:
    """A chain of any events is intact and gives them back in clear."""
    sealed = chained(events)
    assert verify(sealed).intact
    for number, (one, event) in enumerate(zip(sealed, events, strict=True), 1):
        assert opened(one) == msgspec.structs.replace(event, seq=number, at=round(event.at, 3))


@given(st.lists(_EVENTS, min_size=1, max_size=6), st.data())
def test_erasing_personal_values_leaves_the_chain_intact(events: list[AuditEvent], data: st.DataObject) -> None:
    """Any subset may lose its personal values; the verdict stays intact and counts them."""
    sealed = chained(events)
    gone = data.draw(st.sets(st.integers(0, len(sealed) - 1)))
    kept = [changed(one, personal=b"") if at in gone else one for at, one in enumerate(sealed)]
    verdict = verify(kept)
    held = sum(bool(events[at].name or events[at].address or events[at].agent) for at in gone)
    assert verdict.intact
    assert verdict.erased == held == sum(map(erased, kept))
    for at in gone:
        assert (opened(kept[at]).name, opened(kept[at]).address, opened(kept[at]).agent) == ("", "", "")


@given(st.lists(_EVENTS, min_size=1, max_size=6), st.data())
def test_attack_any_alteration_is_found(events: list[AuditEvent], data: st.DataObject) -> None:
    """One changed byte of body, digest or link, or one changed number or writer, breaks the chain at that event."""
    sealed = chained(events)
    at = data.draw(st.integers(0, len(sealed) - 1))
    field = data.draw(st.sampled_from(["body", "digest", "previous", "seq", "writer"]))
    one = sealed[at]
    if field == "body":
        body = bytearray(one.body)
        body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
        sealed[at] = changed(one, body=bytes(body))
    elif field == "seq":
        sealed[at] = changed(one, seq=one.seq + data.draw(st.integers(1, 5)))
    elif field == "writer":
        sealed[at] = changed(one, writer="other")
    else:
        text = getattr(one, field)
        sealed[at] = changed(one, **{field: ("f" if text[:1] != "f" else "0") + text[1:]})
    assert not verify(sealed).intact


@given(st.integers(3, 8), st.data())
def test_attack_an_event_removed_from_the_middle_is_found(length: int, data: st.DataObject) -> None:
    """The gap is named, at the beginning too."""
    sealed = some(length)
    at = data.draw(st.integers(0, length - 2))
    del sealed[at]
    assert first(sealed) == (at + 1, Fault.MISSING)


@given(st.permutations(range(6)))
def test_attack_a_changed_order_is_found(order: list[int]) -> None:
    """Every order but the written one is reported as reordered."""
    sealed = some(6)
    shuffled = [sealed[at] for at in order]
    broken = verify(shuffled).first
    if order == sorted(order):
        assert broken is None
    else:
        assert broken is not None and broken.how is Fault.REORDERED


def test_attack_two_events_that_changed_places_in_the_file() -> None:
    """Swapped row numbers do not help: the number is in the body."""
    sealed = some(4)
    sealed[1], sealed[2] = changed(sealed[2], seq=2), changed(sealed[1], seq=3)
    assert first(sealed) == (2, Fault.REORDERED)


def test_attack_an_event_rewritten_together_with_its_digest() -> None:
    """A new body with a fitting digest is given away by the event after it."""
    sealed = some(4)
    event = AuditEvent(action=Action.LINK_REFUSED, actor="visitor", at=1.0)
    sealed[1] = seal(event, writer="gate", seq=2, previous=sealed[0].digest)
    assert first(sealed) == (2, Fault.ALTERED)


@pytest.mark.parametrize(
    "forged",
    [
        lambda kept: {**kept, "name": [kept["name"][0], "Eve"]},
        lambda kept: {**kept, "name": ["00" * 16, kept["name"][1]]},
        lambda kept: {**kept, "name": ["no hex", kept["name"][1]]},
        lambda kept: {**kept, "agent": ["00" * 16, "curl"]},
        lambda kept: {"name": kept["address"], "address": kept["name"]},
    ],
)
def test_attack_a_personal_value_altered_or_added(forged: object) -> None:
    """A name that is not the recorded one is found, so is one where none was recorded."""
    sealed = some(3)
    kept = forged(msgspec.json.decode(sealed[1].personal))  # type: ignore[operator]
    sealed[1] = changed(sealed[1], personal=msgspec.json.encode(kept))
    assert first(sealed) == (2, Fault.PERSONAL_ALTERED)


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe", b"[]", b'{"writer":"gate"}', b"{" * 100])
def test_junk_in_the_body_is_reported_not_raised(junk: bytes) -> None:
    """A body that is no event is an altered event."""
    sealed = some(3)
    sealed[2] = changed(sealed[2], body=junk)
    assert first(sealed) == (3, Fault.ALTERED)


def test_personal_values_are_not_in_the_body() -> None:
    """What the hash covers holds no name or network, and the same name never has the same digest twice."""
    one, two = some(1)[0], some(1)[0]
    assert b"Ann" not in one.body and b"192.0.2" not in one.body
    assert msgspec.json.decode(one.body)["personal"]["name"] != msgspec.json.decode(two.body)["personal"]["name"]


def test_each_writer_has_a_chain_of_its_own() -> None:
    """Interleaved writers verify, and a fault in one names that one."""
    a, b = some(3, "a"), some(3, "b")
    mixed = [event for pair in zip(a, b, strict=True) for event in pair]
    assert verify(mixed).intact
    del mixed[2]
    verdict = verify(mixed)
    assert [(one.writer, one.seq, one.how) for one in verdict.broken] == [("a", 2, Fault.MISSING)]


def test_a_cut_tail_is_not_provable_without_an_anchor_and_found_with_one() -> None:
    """Without an anchor the verdict says so in words; with one it names the first entry that is gone."""
    sealed = some(5)
    anchor = {"gate": (4, sealed[3].digest)}
    cut = verify(sealed[:3])
    assert cut.intact and "not cut off" in str(cut) and cut.anchored is None
    assert first(sealed[:3], anchor=anchor, anchored=1.0) == (4, Fault.CUT)
    whole = verify(sealed, anchor=anchor, anchored=1.0)
    assert whole.intact and whole.unanchored == 1 and "cannot be proved" in str(whole)


def test_attack_a_history_written_anew_is_found_with_an_anchor() -> None:
    """A consistent forgery verifies by itself, and not against what the anchor saw."""
    anchor = {"gate": (4, some(5)[3].digest)}
    forged = some(5)
    assert verify(forged).intact
    assert first(forged, anchor=anchor, anchored=1.0) == (4, Fault.REWRITTEN)


def test_attack_a_whole_chain_removed_is_found_with_an_anchor() -> None:
    """A writer that the anchor knows and the store does not was cut off."""
    a, b = some(2, "a"), some(2, "b")
    verdict = verify(a, anchor={"a": (2, a[1].digest), "b": (2, b[1].digest)}, anchored=1.0)
    assert [(one.writer, one.seq, one.how) for one in verdict.broken] == [("b", 1, Fault.CUT)]


def test_the_format_of_a_digest_does_not_drift() -> None:
    """A stored history must verify for ever: this event's body and digest are pinned."""
    event = AuditEvent(action=Action.SHARE_REVOKED, actor="owner", at=1_800_000_000.5, share="k7f2", detail="ü")
    sealed = seal(event, writer="gate", seq=1, previous="")
    assert sealed.body.decode() == (
        '{"action":"share.revoked","actor":"owner","at":1800000000.5,"detail":"ü","seq":1,"share":"k7f2","writer":"gate"}'
    )
    assert sealed.digest == "f13895f19e78a3dd014388bb87e153f52c29630f822c14cdc1c14417617a2119"


@pytest.mark.parametrize(
    ("fields", "name", "share"),
    [
        ({"body": b""}, "Ann", ""),
        ({"body": b'{"action":"link.joi'}, "Ann", ""),
        ({"body": b"\xff"}, "Ann", ""),
        ({"body": b"[" * 100_000}, "Ann", ""),
        ({"body": b'{"action":"link.invented","actor":"visitor","share":"s1","at":1e300}'}, "Ann", "s1"),
        ({"body": b'{"action":"link.joined","actor":7,"share":8,"at":"noon"}'}, "Ann", ""),
        ({"body": b"{}", "personal": b"\x00"}, "", ""),
        ({"body": b"{}", "personal": b'{"name":["00",7]}'}, "", ""),
    ],
)
def test_attack_an_entry_that_does_not_read(fields: dict[str, bytes], name: str, share: str) -> None:
    """What of it reads is shown in its place, so that it hides neither itself nor others, and can be erased."""
    (sealed,) = chained([AuditEvent(action=Action.LINK_JOINED, actor="visitor", at=1.0, share="s1", name="Ann")])
    damaged = changed(sealed, **fields)
    event = opened(damaged)
    assert (event.action, event.seq, event.name, event.share) == (Action.TRAIL_UNREADABLE, 1, name, share)
    assert event.at == 0.0 and not erased(damaged)
    assert first([damaged]) == (1, Fault.ALTERED)


def test_attack_personal_values_say_nothing_else() -> None:
    """What stands beside the chain is name, address or agent, and takes the place of nothing in the body."""
    (sealed,) = chained([AuditEvent(action=Action.LINK_JOINED, actor="visitor", name="Ann", share="s1")])
    event = opened(changed(sealed, personal=b'{"share":["00","s2"],"name":["00","Bo"]}'))
    assert (event.share, event.name) == ("s1", "Bo")

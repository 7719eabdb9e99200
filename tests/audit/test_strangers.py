from __future__ import annotations

from sharegate.audit.events import AuditEvent
from sharegate.audit.strangers import FURTHER, TOTAL, WINDOW, Strangers, stranger_event
from tests.conftest import Clock


def refusal(address: str = "192.0.2.1", reason: str = "no_credential") -> AuditEvent:
    return stranger_event(reason, address)


def test_the_first_of_a_kind_is_recorded_and_the_rest_counted(clock: Clock) -> None:
    """One row at once, one summary a minute later with what followed, then nothing."""
    strangers = Strangers(clock)
    rows = [strangers.denied(refusal(f"192.0.2.{i}")) for i in range(50)]
    assert rows[0] == refusal("192.0.2.0") and rows[1:] == [None] * 49
    assert strangers.due() == []
    clock.forward(WINDOW)
    (summary,) = strangers.due()
    assert (summary.count, summary.address, summary.reason) == (49, "192.0.2.0/24", "no_credential")
    assert summary.detail == FURTHER
    clock.forward(WINDOW)
    assert strangers.due() == []
    assert strangers.denied(refusal()) is not None, "a kind that was quiet for a minute is new again"


def test_networks_and_reasons_are_kinds_of_their_own(clock: Clock) -> None:
    """Another /24, another /48 or another reason is a first of its kind."""
    strangers = Strangers(clock)
    assert strangers.denied(refusal("192.0.2.1"))
    assert strangers.denied(refusal("192.0.3.1"))
    assert strangers.denied(refusal("2001:db8:1::1"))
    assert not strangers.denied(refusal("2001:db8:1:ffff::1"))
    assert strangers.denied(refusal("2001:db8:2::1"))
    assert strangers.denied(refusal("192.0.2.1", "bad_path"))


def test_attack_a_flood_from_everywhere_cannot_fill_the_store(clock: Clock) -> None:
    """A day of refusals from ever new networks writes the quota and one total a minute, and counts every one."""
    strangers = Strangers(clock, rows_a_day=100, kinds_at_once=50)
    clock.now = 86400.0 * 20_000
    written: list[AuditEvent] = []
    sent = 0
    for minute in range(60):
        for i in range(200):
            row = strangers.denied(refusal(f"10.{minute}.{i}.1"))
            sent += 1
            if row:
                written.append(row)
        assert len(strangers._kinds) <= 50, "memory is bounded too"
        clock.forward(WINDOW)
        written += strangers.due()
    totals = [event for event in written if event.detail == TOTAL]
    assert len(written) - len(totals) == 100
    assert len(totals) <= 60
    assert sum(event.count for event in written) == sent
    clock.forward(86400)
    assert strangers.denied(refusal("11.0.0.1")), "the quota is by day"


def test_stopping_writes_what_was_counted(clock: Clock) -> None:
    """Counts that are not due yet are not lost when the gate stops."""
    strangers = Strangers(clock, rows_a_day=1)
    strangers.denied(refusal("10.0.0.1"))
    for _ in range(3):
        strangers.denied(refusal("10.0.0.1"))
    strangers.denied(refusal("10.0.1.1"))
    (total,) = strangers.due(everything=True)
    assert (total.count, total.detail) == (4, TOTAL)


def test_a_clock_that_jumps_back_does_not_stop_the_summaries(clock: Clock) -> None:
    """A window that begins in the future is over."""
    strangers = Strangers(clock)
    strangers.denied(refusal())
    strangers.denied(refusal())
    clock.forward(-7200)
    (summary,) = strangers.due()
    assert summary.count == 1

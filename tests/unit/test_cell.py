"""The text of a cell: what was asked, and nothing that was not."""

from harness.faults import all_faults
from harness.spec.cell import cell_of
from harness.spec.settings import Asked
from harness.spec.trial import Trial


def _cell(fault: str, **rest: object) -> str:
    return cell_of(Trial(fault=fault, **rest), all_faults()[fault].options)  # type: ignore[arg-type]


def test_a_cell_says_its_settings_traffic_survivor_and_ip_version() -> None:
    asked = Asked(idle_s=5, interval_s=1, count=3)
    text = _cell("crash-client", asked=asked, survivor="server")
    assert text == "crash-client keepalive=5 interval=1 probes=3 traffic=idle survivor=server ipv=4"


def test_options_of_the_fault_come_first_and_defaults_are_left_out() -> None:
    text = _cell("cut-link", options={"direction": "both", "where": "own-link"}, ipv=6)
    assert text == "cut-link where=own-link traffic=idle survivor=client ipv=6"


def test_options_that_were_not_given_and_those_left_at_their_default_are_the_same_cell() -> None:
    assert _cell("cut-link", options={"direction": "both", "where": "router"}) == _cell("cut-link")


def test_durations_are_spelt_as_they_can_be_typed() -> None:
    asked = Asked(user_timeout_ms=1500, rto_max_ms=2000, read_deadline_s=0.25)
    text = _cell("flap-link", options={"down": 4.0}, asked=asked, quiet_s=3.0, limit_s=12.5)
    assert text == (
        "flap-link down=4 user-timeout=1500ms read-deadline=0.25 rto-max=2 traffic=idle survivor=client ipv=4"
        " quiet=3 limit=12.5"
    )


def test_repeats_of_a_cell_have_its_text() -> None:
    assert _cell("no-fault", number=1) == _cell("no-fault", number=77)

"""The jiffy clock of this machine: the same that an agent tells of its host's."""

from harness.endpoints.jiffies import (
    Hz,
    Jiffies,
    calibrate,
    discover,
    from_timer_list,
    from_times,
    jiffy_clock,
    tick_ns,
)

__all__ = ["Hz", "Jiffies", "calibrate", "discover", "from_timer_list", "from_times", "jiffy_clock", "tick_ns"]

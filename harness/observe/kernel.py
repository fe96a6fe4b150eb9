"""The kernel that this program runs on, as the predictor needs to know it."""

import platform

from harness.observe import jiffies
from harness.predict.situation import Kernel

# Where nothing tells: what Debian and Fedora build (CONFIG_HZ).
_USUAL_HZ = 250


def this_kernel() -> Kernel:
    """Return it, with its jiffy clock calibrated where that can be had; takes up to 60 ms."""
    hz = jiffies.discover().hz or _USUAL_HZ
    return Kernel(hz=hz, jiffy_offset=jiffies.calibrate(hz), version=platform.release())

"""What should have been seen: Linux's TCP timers as pure functions. Imports no socket, no pyroute2, no clock.

Reading order: ``situation`` (what is known), ``wheel`` (when a timer of L jiffies runs), ``path`` (what comes back),
``course`` (following what may happen), the timers ``keepalive``, ``retransmit``, ``persist``, ``connect`` and
``reject``, ``kernel`` (which of them decides), ``peer``, ``deadlines``, ``heartbeat``, ``race`` (who is first),
``predict`` (what that makes), ``edges`` (how sure), ``words``, ``explain``, ``meaning`` and ``warn`` (what is told to
people).
"""

from harness.predict.meaning import meaning
from harness.predict.predict import predict
from harness.predict.situation import Effect, Kernel, Prediction, Situation, Step

__all__ = ["Effect", "Kernel", "Prediction", "Situation", "Step", "meaning", "predict"]

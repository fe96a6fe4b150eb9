"""How long a trial will take, and a whole sweep, as far as the predictor can tell beforehand. Pure; seconds."""

import heapq
from collections.abc import Iterable, Sequence

import msgspec

from harness.outlook import outlook
from harness.predict import predict
from harness.predict.situation import Effect, Kernel, Prediction, Situation
from harness.scene.waiting import LONGER, LONGER_S
from harness.spec.trial import Trial

# Setting up, striking, proving and clearing away take so long of this program's processor; building a lab, so long.
EACH_S, LAB_S = 0.005, 0.25
# A stream fills the survivor's send buffer, and where the peer only stops reading, the peer's too, within this.
_FILLS_S = 1.2
_GONE = Effect(to_peer="drop", to_survivor="drop", peer="dead")


class Outlook(msgspec.Struct, frozen=True):
    """``dies_s``: from the fault to the sign, None: no sign; ``lasts_s``: from the opening to the end of the trial."""

    dies_s: float | None
    lasts_s: float


def of_trial(trial: Trial, kernel: Kernel) -> Outlook:
    """Return what is to be expected of ``trial`` on a kernel."""
    situation = outlook(trial, kernel)
    prediction = predict(situation)
    dies = sign_s(prediction)
    before = max(trial.quiet_s, _until_expiry(situation))
    if dies is not None and (trial.limit_s is None or dies <= trial.limit_s):
        return Outlook(dies, before + dies)
    if trial.limit_s is not None:
        return Outlook(None, before + trial.limit_s)
    return Outlook(None, before + _watched(situation, prediction))


def sign_s(prediction: Prediction) -> float | None:
    """When the sign is to be expected, after the fault; None: not at all, or without bound."""
    if prediction.by == "write-deadline" and prediction.exact_s is None and prediction.earliest_s is not None:
        # The write gets stuck as soon as the buffer is full: nobody else comes before, if it does.
        return prediction.earliest_s + _FILLS_S
    return prediction.latest_s if prediction.exact_s is None else prediction.exact_s


def _until_expiry(situation: Situation) -> float:
    """How long the fault itself waits, from the opening: for a NAT to forget."""
    return 0.0 if situation.mapping_expires_at is None else -(situation.armed_at or 0.0)


def _watched(situation: Situation, prediction: Prediction) -> float:
    """How long nothing is waited for: at most; where no timer is armed, it is said at once (scene/waiting.py)."""
    heals = situation.effect.heals_after_s
    if heals is not None:
        return max(heals, prediction.recovery_latest_s or 0.0)
    dead = predict(msgspec.structs.replace(situation, effect=_GONE, mapping_expires_at=None))
    return 0.0 if dead.latest_s is None else dead.latest_s * LONGER + LONGER_S


def wall_s(rooms: Iterable[Sequence[float]], labs: int, at_once: int) -> float:
    """Return how long the rooms take together: each is given as how long its trials last, ``labs`` run at a time."""
    free = [0.0] * labs
    for lasts in rooms:
        heapq.heappush(free, heapq.heappop(free) + _room_s(lasts, at_once))
    return max(free)


def _room_s(lasts: Sequence[float], at_once: int) -> float:
    """Trials begin one after the other, each as soon as its turn and a place come."""
    ends: list[float] = []
    now = LAB_S
    for each in lasts:
        if len(ends) >= at_once:
            now = max(now, heapq.heappop(ends))
        now += EACH_S
        heapq.heappush(ends, now + each)
    return max(ends, default=now)

"""Every check by which a program asks its socket about the other end, against every state a connection can be in.

The question: *is the other end still there, and will what I send now be received?* "The other end" is the peer's
program, not its kernel. A check says alive, gone or unsure:

================  =====================================  ==========================================
                  it is there (quiet, data, half, zero)  it is not (all other states)
================  =====================================  ==========================================
says alive        right                                  blind
says gone         wrong: a false alarm                   right
says unsure       blind                                  blind
================  =====================================  ==========================================

``states``   the states, and what is true in each.
``bring``    how each is brought about on a fresh connection.
``proof``    what both sockets and the packets must show before a check is asked.
``reading``, ``asking``, ``writing``, ``waiting``   the checks by family, with what is expected of each, and why.
``cell``     one check in one state, from connection to record.
``run``      all of them, together in one lab.
"""

from functools import cache

from harness.detectors.base import Detector


@cache
def all_detectors() -> dict[str, Detector]:
    """Return every detector by its name, in the order of the table."""
    from harness.detectors.asking import ASKING
    from harness.detectors.reading import READING
    from harness.detectors.waiting import WAITING
    from harness.detectors.writing import WRITING

    return {detector.name: detector for detector in (*READING, *ASKING, *WRITING, *WAITING)}

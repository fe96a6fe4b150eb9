"""Seen against should: the proof, the verdict, the warnings, and the sentence that explains the number.

``record`` is the contract of what is kept; ``proof`` judges the evidence against what the fault claims; ``judge``
compares what was detected with what was predicted; ``explain`` puts it into words.
"""

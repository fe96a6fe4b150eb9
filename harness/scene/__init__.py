"""One connection in a lab, from its opening to its close: what an experiment sets up, keeps going and asks of.

``stage`` is the connection with its two ends and its packets; ``opening`` sets it up; ``traffic`` is what it is doing
when the fault strikes; ``survey`` collects the facts that the prediction and the proof are made from;
``waiting`` waits for the survivor's first sign, and knows when waiting is over.
"""

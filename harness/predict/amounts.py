"""Durations in the sentences of a prediction: exact enough to check the arithmetic by hand."""


def amount(seconds: float) -> str:
    """Return ``seconds`` for a sentence: 0.408 -> '408 ms', 5.076 -> '5.076 s', 705 -> '705 s (11.8 min)'."""
    if abs(seconds) < 0.9995:
        return f"{seconds * 1000:.4g} ms"
    text = f"{seconds:.3f}".rstrip("0").rstrip(".") + " s"
    if abs(seconds) >= 7200:
        return f"{text} ({seconds / 3600:.1f} h)"
    return f"{text} ({seconds / 60:.1f} min)" if abs(seconds) >= 120 else text


def window(low: float | None, high: float | None, exact: float | None) -> str:
    """Return when, after the fault: the instant if it is known, else the interval."""
    if exact is not None:
        return f"{amount(exact)} after the fault"
    if low is None:
        return "at no known time"
    if high is None:
        return f"{amount(low)} after the fault at the earliest"
    if high - low < 0.0005:
        return f"{amount(low)} after the fault"
    return f"{amount(low)} to {amount(high)} after the fault"

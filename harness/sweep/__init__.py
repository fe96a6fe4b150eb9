"""Sweeps: many experiments, planned together and run together.

``asked`` is one combination of values as a trial; ``matrix`` the product of value lists; ``file`` reads products from
TOML, ``lists`` from the command line; ``plan`` orders, shards and keeps what was planned; ``outlast`` foretells how
long it takes; ``resume`` finds what is left of a run; ``run`` has the engine run it; ``progress`` and ``summary`` are
what a person sees of it.
"""

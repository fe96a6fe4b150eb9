"""Runs in a folder of their own, as if they had been measured."""

from examples import detection, record

from harness.store.run import Run


def stored(results, name="2026-01-02T030405Z-crash-client", records=None):
    """Make a run under ``results``; return its folder."""
    folder = results / name
    folder.mkdir(parents=True)
    with Run(folder) as run:
        for each in [record()] if records is None else records:
            run.keep(each)
    return folder


def trial(number=0, after_s=4.8, cell="crash-client keepalive=2", **fields):
    return record(trial=number, cell=cell, detection=detection(after_s=after_s), **fields)

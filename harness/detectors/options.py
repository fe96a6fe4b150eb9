"""What ``invoke detectors`` takes."""

from pathlib import Path

from harness.spec.options import RUN, TRIAL, Option

OPTIONS = (
    *(option for option in TRIAL if option.name == "ipv"),
    Option("page", "write the table and its explanation to this file, as Markdown", Path),
    *(option for option in RUN if option.name in ("results", "json", "pcap")),
)

"""Value lists on the command line: what is asked by them, and what is refused."""

import pytest

from harness.errors import Refused
from harness.sweep import lists


def test_without_a_fault_it_is_the_standard_question():
    asked = lists.load({"keepalive": "5,10,30", "interval": "1,5"})
    (product,) = asked.products
    assert (product.faults, product.values["keepalive"]) == (("crash-client",), ("5", "10", "30"))
    assert (asked.name, asked.source) == ("crash-client", "--keepalive 5,10,30 --interval 1,5")


def test_several_faults_are_a_sweep_by_name():
    asked = lists.load({"fault": "cut-link, crash-client", "keepalive": "5"}, repeat=3, seed=7)
    assert (asked.name, asked.seed, asked.products[0].faults) == ("sweep", 7, ("cut-link", "crash-client"))
    assert asked.products[0].repeat == 3


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ({}, "^what is to be run\\?"),
        ({"keepalive": "5,,10"}, "^--keepalive: '5,,10' is refused"),
        ({"keepalive": "5,x"}, "^--keepalive: 'x'"),
        ({"fault": "cut-links"}, "^--fault: 'cut-links' is unknown"),
    ],
)
def test_one_line_says_what_is_wrong(typed, line):
    with pytest.raises(Refused, match=line):
        lists.load(typed)

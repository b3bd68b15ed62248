"""Names of templates stay the same where nothing that matters changes."""

import os
import re
import subprocess
import sys

import pytest
from nodemix.optimizer.problem.digest import digest
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import PodTemplate

from tests.builders import make_resources, make_template

_PRINT_A_DIGEST = """
from nodemix.optimizer.problem.digest import digest
from nodemix.optimizer.resources import Resources
from nodemix.optimizer.snapshot import PodTemplate
print(digest(PodTemplate(Resources(cpu_milli=500, pods=1), labels=(("app", "web"),))))
"""


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_equal_templates_have_equal_names_in_every_process(hash_seed: str) -> None:
    template = PodTemplate(Resources(cpu_milli=500, pods=1), labels=(("app", "web"),))

    elsewhere = subprocess.run(
        [sys.executable, "-c", _PRINT_A_DIGEST],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()

    assert elsewhere == digest(template)
    assert re.fullmatch("[0-9a-f]{8}", elsewhere)


def test_any_field_of_a_template_changes_its_name() -> None:
    plain = make_template()
    others = [
        make_template(cpu_milli=999),
        make_template(priority=1),
        make_template(spot_denied="nodemix.dev/spot: deny"),
        make_template(requests=make_resources(gpus=1)),
        make_template(labels=(("app", "web"),)),
    ]

    assert len({digest(plain), *map(digest, others)}) == len(others) + 1


def test_the_order_of_several_templates_counts() -> None:
    one, other = make_template(cpu_milli=1), make_template(cpu_milli=2)

    assert digest(one, other) != digest(other, one)

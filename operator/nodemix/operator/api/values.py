"""Kinds of values that several custom resources share."""

import math
from typing import Annotated

from pydantic import AfterValidator, Field

GROUP = "nodemix.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

DnsName = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
]
"""Name of a Kubernetes object."""

Word = Annotated[str, Field(min_length=1, max_length=63)]
"""A short label value: a zone, a family, an instance type."""

Sentence = Annotated[str, Field(max_length=1024)]
"""A line for people."""

Workload = Annotated[str, Field(max_length=512)]
"""``<namespace>/<Kind>/<name>``."""

HttpUrl = Annotated[str, Field(max_length=2048, pattern=r"^https?://[^\s]+$")]

Count = Annotated[int, Field(ge=0)]


def _rounded(digits: int) -> AfterValidator:
    def rounded(value: float) -> float:
        return round(value, digits) if math.isfinite(value) else value

    return AfterValidator(rounded)


Usd = Annotated[float, _rounded(4)]
"""Money in a status, to a hundredth of a cent: more digits only make objects flicker."""

Percent = Annotated[float, _rounded(2)]
"""A share in a status, in percent, as the printer columns show it."""

Probability = Annotated[float, _rounded(5)]
"""A probability in a status."""

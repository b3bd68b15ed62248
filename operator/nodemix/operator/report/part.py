"""What the parts of a plan document have in common."""

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

USD_DECIMALS = 6
"""Money is given in whole micro-USD."""

Usd = Annotated[float, Field(description="USD per hour, rounded to a micro-USD.")]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    """A part of the document; unknown fields are an error, so that a typo is never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def usd(amount: float) -> float:
    """``amount`` in whole micro-USD."""
    return round(amount, USD_DECIMALS) + 0.0  # + 0.0 turns -0.0 into 0.0


def usd_down(amount: float) -> float:
    """Rounded down: a bound that was rounded up would claim more than was proved."""
    scale = 10.0**USD_DECIMALS
    return math.floor(amount * scale + 1e-6) / scale

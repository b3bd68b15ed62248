"""What a finished search leaves to the next one, in names that outlast the problem."""

from dataclasses import dataclass

import numpy as np
from nodemix.optimizer.catalog.types import OfferVariant
from nodemix.optimizer.problem.types import FloatArray, IntArray
from numpy.typing import NDArray

SmallIntArray = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class WarmStart:
    """Patterns, plans made of them, and prices; only ever read.

    Rows are known by their id, offers by their key and caps by their name, so that all of it can be
    looked up in a later problem, whatever has come or gone since.

    Args:
        offer_keys: of the offers in use, shape (offers,).
        offers: position in ``offer_keys`` of each pattern's offer, shape (patterns,).
        pods: of each row on one node, shape (patterns, rows).
        plans: nodes of each pattern, cheapest plan first, shape (plans, patterns).
        row_duals: of one pod, USD per hour, shape (rows,).
        cap_duals: of one unit of the limit, USD per hour, shape (caps,).
    """

    row_ids: tuple[str, ...]
    offer_keys: tuple[OfferVariant, ...]
    offers: IntArray
    pods: SmallIntArray
    plans: SmallIntArray
    row_duals: FloatArray
    cap_names: tuple[str, ...]
    cap_duals: FloatArray

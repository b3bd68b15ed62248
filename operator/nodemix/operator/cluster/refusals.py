"""What Karpenter says where its provider sells it no machine.

It deletes a NodeClaim in the second in which an event says why, so that deleted ones are remembered
for their requirements: the event names the machine only where the provider's words do. A claim that
is kept and tried again says it in a condition.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from sys import intern
from typing import Any, Final

Json = dict[str, Any]

CLAIM: Final = "NodeClaim"
REFUSAL: Final = "Refusal"
"""What a store calls the events that tell of one; to the API server they are events like others."""
REFUSAL_REASON: Final = "InsufficientCapacityError"
MOST_NAMES: Final = 12
"""Of more types than this no provider is sure to have tried each; they are not remembered."""

_TYPE: Final = "node.kubernetes.io/instance-type"
_ZONE: Final = "topology.kubernetes.io/zone"
_MARKET: Final = "karpenter.sh/capacity-type"


@dataclass(frozen=True, slots=True)
class ClaimRecord:
    """A machine that Karpenter asks its provider for.

    Args:
        instance_types, zones, markets: that it may have, sorted; empty where the claim names none,
            or too many.
        complaint: why it is not launched yet; empty where nothing is said.
    """

    uid: str
    name: str
    instance_types: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    complaint: str = ""

    def refusal(self) -> "Refusal":
        """The complaint; the claim lives on, so that it is about one attempt."""
        key = f"{self.uid}/{self.complaint}"
        return Refusal(key, None, self.name, self.complaint, self, is_final=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Words about a machine that could not be had; not yet why, nor whether of the spot market.

    Args:
        key: the same words about the same machine have the same one.
        at_s: when it was said, seconds since the epoch; None if the object is silent.
        claim: None where it is not known, or not any more.
        is_final: nothing that the claim allows could be had.
    """

    key: str
    at_s: float | None
    claim_name: str
    message: str
    claim: ClaimRecord | None = None
    is_final: bool = True


def claim_record(claim: Json) -> ClaimRecord:
    """The record of a NodeClaim."""
    metadata = claim["metadata"]
    names = dict(_allowed(metadata, claim.get("spec") or {}))
    return ClaimRecord(
        uid=str(metadata.get("uid") or metadata["name"]),
        name=metadata["name"],
        instance_types=_few(names.get(_TYPE, ())),
        zones=_few(names.get(_ZONE, ())),
        markets=_few(names.get(_MARKET, ())),
        complaint=_complaint((claim.get("status") or {}).get("conditions")),
    )


def refusals_of(
    told: Iterable[Refusal], present: Iterable[ClaimRecord], gone: Iterable[ClaimRecord]
) -> tuple[Refusal, ...]:
    """All that was told, by events and by claims that are still there, with the claims at hand.

    Args:
        told: by events.
        gone: in order of their going.
    """
    living = {claim.name: claim for claim in present}
    claims = {**{claim.name: claim for claim in gone}, **living}
    said = (replace(refusal, claim=claims.get(refusal.claim_name)) for refusal in told)
    return (*said, *(claim.refusal() for claim in living.values() if claim.complaint))


def _allowed(metadata: Json, spec: Json) -> Iterator[tuple[str, Sequence[str]]]:
    """What each label may be; a requirement comes after the label of its name."""
    for key, value in (metadata.get("labels") or {}).items():
        yield key, (value,)
    for requirement in spec.get("requirements") or ():
        if requirement.get("operator") == "In":
            yield requirement["key"], requirement.get("values") or ()


def _few(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(intern(str(name)) for name in names)) if len(names) <= MOST_NAMES else ()


def _complaint(conditions: Iterable[Json] | None) -> str:
    """What the condition Launched says while it does not hold."""
    launched = (c for c in conditions or () if c.get("type") == "Launched")
    return next((str(c.get("message") or "") for c in launched if c.get("status") != "True"), "")

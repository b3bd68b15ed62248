"""Ways to corrupt a plan."""

from collections.abc import Callable

from tests.checker.scene import DB, Json

Corrupt = Callable[[Json], object]


def set_field(name: str, value: object) -> Corrupt:
    return lambda document: document.update({name: value})


def set_entry(index: int, **fields: object) -> Corrupt:
    return lambda document: document["nodes"][index].update(fields)


def set_runner_up(**fields: object) -> Corrupt:
    return lambda document: document["pools"][0]["runner_up"].update(fields)


def move(workload: str, source: int, target: int, pods: int = 1) -> Callable[[Json], None]:
    def change(document: Json) -> None:
        giver, taker = (document["nodes"][i]["pods"] for i in (source, target))
        giver[workload] -= pods
        if giver[workload] == 0:
            del giver[workload]
        taker[workload] = taker.get(workload, 0) + pods

    return change


def strand(document: Json) -> None:
    """Says that a pod fits nowhere that fits an on-demand node that is bought anyway."""
    del document["nodes"][2]["pods"][DB]
    document["unplaceable"].append({"workload": DB, "pods": 1, "why": "too large"})

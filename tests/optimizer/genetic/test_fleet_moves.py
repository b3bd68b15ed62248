from itertools import combinations_with_replacement

import numpy as np
import pytest
from nodemix.optimizer.genetic.fleet_moves import (
    Moves,
    Stairs,
    Start,
    best_triples,
    list_moves,
)
from nodemix.optimizer.problem.types import FloatArray

TAIL = 4.0
NO_CAPS = np.zeros(0)


def some_start(rng: np.random.Generator, slack: FloatArray = NO_CAPS) -> Start:
    """Three pools, two dimensions, 30 scenarios; of which the CVaR averages the worst 4."""
    lacking = rng.uniform(-0.2, 0.3, (2, 30)).astype(np.float32)
    cover = rng.uniform(0.0, 0.1, (3, 2, 30)).astype(np.float32)
    worst = np.sort(lacking.max(axis=0))[-4:]
    return Start(lacking, cover, float(worst[0]), TAIL, 10.0, float(worst.mean()), slack)


def some_moves(load: FloatArray | None = None) -> Moves:
    """Nothing, and a node more or less of each pool; the slope promises anything."""
    pool = np.array([-1, 0, 1, 2, 0, 1, 2])
    nodes = np.array([0, 1, 1, 1, -1, -1, -1])
    cost, fall = nodes * np.array([0.3, 0.5, 0.7])[pool], np.where(nodes, 1.0, 0.0)
    loads = np.zeros((7, 0)) if load is None else load
    return Moves(pool, nodes.astype(np.float32), cost, fall, loads)


def flat(cvar: float) -> Stairs:
    """The same CVaR to beat at every cost from 0 to 20."""
    return Stairs(0.0, 100.0, np.full(2000, cvar))


def changes(moves: Moves, triple: tuple[int, ...]) -> dict[int, float]:
    return {int(moves.pool[i]): float(moves.nodes[i]) for i in triple if i}


def highest_lacking(start: Start, moves: Moves, triple: tuple[int, ...]) -> FloatArray:
    lacking = start.lacking.astype(np.float64)
    for pool, nodes in changes(moves, triple).items():
        lacking = lacking - nodes * start.cover[pool]
    highest: FloatArray = lacking.max(axis=0)
    return highest


def all_triples(moves: Moves) -> list[tuple[int, ...]]:
    """Sets of at most three moves of different pools, none of them empty."""
    rising = combinations_with_replacement(range(len(moves.pool)), 3)
    real = [triple for triple in rising if any(triple)]
    return [t for t in real if len(changes(moves, t)) == sum(i > 0 for i in t)]


def test_every_triple_that_beats_the_stairs_is_found_once() -> None:
    start, moves = some_start(np.random.default_rng(0)), some_moves()

    triples, _ = best_triples(start, moves, flat(10.0), most=200)

    found = sorted(tuple(triple) for triple in triples.tolist())
    assert found == sorted(all_triples(moves))


@pytest.mark.parametrize("seed", range(5))
def test_cvar_is_that_of_the_formula_and_never_too_low(seed: int) -> None:
    start, moves = some_start(np.random.default_rng(seed)), some_moves()

    triples, cvar = best_triples(start, moves, flat(10.0), most=200)

    for triple, reached in zip(triples.tolist(), cvar.tolist(), strict=True):
        lacking = highest_lacking(start, moves, triple)
        above = np.maximum(lacking - start.edge, 0.0).sum()
        assert reached == pytest.approx(start.edge + above / TAIL, abs=1e-6)
        assert reached >= np.maximum(np.sort(lacking)[-4:], 0.0).mean() - 1e-6


def test_of_too_many_the_lowest_are_kept() -> None:
    start, moves = some_start(np.random.default_rng(4)), some_moves()

    _, every = best_triples(start, moves, flat(10.0), most=200)
    _, few = best_triples(start, moves, flat(10.0), most=7)

    assert sorted(few) == pytest.approx(sorted(every)[:7])


def test_caps_rule_out_what_breaks_them() -> None:
    load = np.array([[0.0], [1.0], [1.0], [1.0], [-1.0], [-1.0], [-1.0]])
    start, moves = some_start(np.random.default_rng(1), np.array([0.5])), some_moves(load)

    triples, _ = best_triples(start, moves, flat(10.0), most=200)

    loads = load[triples, 0].sum(axis=1)
    assert len(triples)
    assert loads.max() == 0.0


def test_what_the_slope_says_is_hopeless_is_not_tried() -> None:
    start = some_start(np.random.default_rng(2))
    moves = some_moves()._replace(fall=np.zeros(7))

    assert len(best_triples(start, moves, flat(start.cvar), most=200)[0]) == 0


def test_costs_outside_of_the_stairs_count_for_nothing() -> None:
    start, moves = some_start(np.random.default_rng(3)), some_moves()
    dearer = Stairs(10.6, 100.0, np.full(1000, 10.0))

    triples, _ = best_triples(start, moves, dearer, most=200)

    assert moves.cost_usd_per_hour[triples].sum(axis=1).min() >= 0.6


def test_moves_keep_the_quotas_and_begin_with_none() -> None:
    counts, most = np.array([0, 5, 9]), np.array([9, 9, 10])

    place, nodes = list_moves(counts, np.array([0, 2]), (-1, 1, 2), most)

    assert list(zip(place.tolist(), nodes.tolist(), strict=True)) == [
        (-1, 0),
        (1, -1),
        (0, 1),
        (1, 1),
        (0, 2),
    ]

"""The same history under several policies: what nodemix would have cost, saved and missed.

The first half tunes the rivals, the second is compared. Static has the nodes for the first half's
peak. Reactive has the least headroom of ``HEADROOMS`` with which it misses no more pod-minutes
than nodemix; once as the first half says (which is all one can know), once in hindsight.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from nodemix.optimizer.deadline import Clock
from nodemix.optimizer.policy import Policy
from nodemix.simulator.clock import Span
from nodemix.simulator.policies import (
    Deciding,
    Foresight,
    Foreteller,
    Nodemix,
    Reactive,
    ReplayPolicy,
    Static,
    fearless,
    reaching,
)
from nodemix.simulator.replay import Run, Scene, replay
from nodemix.simulator.score import Amount, Blocks, Score, saving_against, scored, share_short_of

HEADROOMS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
HINDSIGHT = "in hindsight"

Watch = Callable[[str, int, int], None]
"""Told which policy is replayed, how many decisions have been made, and of how many."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is compared.

    Args:
        policy: of the owner; its lead time is how long a node boots.
        clock: bounds each search.
        seed: of every random draw.
        rival_search_s: time for a search of static and reactive, which decide far more often.
    """

    scene: Scene
    span: Span
    policy: Policy
    foretell: Foreteller
    clock: Clock
    seed: int = 0
    rival_search_s: float | None = None

    @property
    def ahead_s(self) -> float:
        """How long the nodes of a decision have to last: until those of the next are ready."""
        return self.span.every_s + self.scene.boot_s

    def deciding(self, policy: Policy, search_s: float | None = None) -> Deciding:
        """What decides for a policy of the comparison."""
        return Deciding(reaching(policy, self.ahead_s, search_s), self.clock, self.seed)


@dataclass(frozen=True, slots=True)
class Rival:
    """Another way to choose nodes, and what nodemix saves against it.

    Args:
        saving: share of its cost.
        note: how it was tuned.
        misses_less: whether it misses no more pod-minutes than nodemix.
    """

    score: Score
    saving: Amount
    note: str
    misses_less: bool


@dataclass(frozen=True, slots=True)
class Backtest:
    """What came of it.

    Args:
        compared: the second half, which all figures are of.
        runs: nodemix and its rivals in that half, in this order.
        failures: why decisions gave no plan, each once.
    """

    compared: Span
    nodemix: Score
    rivals: tuple[Rival, ...]
    runs: tuple[Run, ...]
    failures: tuple[str, ...] = ()


def backtest(question: Question, watch: Watch | None = None) -> Backtest:
    """Replay nodemix over all of the time, and its rivals over the half that is compared.

    Raises:
        ReplayError: the time holds fewer than two decisions.
    """
    return _Comparison(question, watch).made()


@dataclass(slots=True, eq=False)
class _Comparison:
    """A backtest under way."""

    question: Question
    watch: Watch | None

    def made(self) -> Backtest:
        question = self.question
        first, second = question.span.halves()
        ours = question.deciding(question.policy)
        whole = self._run(Nodemix(ours, question.foretell), question.span)
        runs = [(whole.between(second), "")]
        runs += [self._static(first, second), *self._reactive(whole, first, second)]
        runs += [self._foresight(second)]
        blocks = Blocks.of(second, np.random.default_rng(question.seed))
        return Backtest(
            compared=second,
            nodemix=scored(runs[0][0], blocks),
            rivals=tuple(_rival(runs[0][0], run, note, blocks) for run, note in runs[1:]),
            runs=tuple(run for run, _ in runs),
            failures=tuple(dict.fromkeys(ours.failures)),
        )

    def _run(self, policy: ReplayPolicy, span: Span) -> Run:
        def told(done: int, of: int) -> None:
            if self.watch is not None:
                self.watch(policy.name, done, of)

        return replay(self.question.scene, policy, span, told)

    def _static(self, first: Span, second: Span) -> tuple[Run, str]:
        workloads = self.question.scene.workloads
        peak = workloads.peak_between(first.start_s, first.end_s)
        deciding = self.question.deciding(self.question.policy)
        run = self._run(Static(deciding, workloads, peak), second)
        return run, f"nodes for the peak of the first half, {int(peak.sum())} pods"

    def _reactive(self, whole: Run, first: Span, second: Span) -> list[tuple[Run, str]]:
        """With the headroom that the first half asks for, and with the one the second does."""
        tuned, found = self._tuned(share_short_of(whole.between(first)), first)
        run = self._reacting(tuned, second)
        why = "headroom tuned on the first half" + ("" if found else ": none of them sufficed")
        best, enough = self._tuned(share_short_of(whole.between(second)), second, {tuned: run})
        hindsight = self._reacting(best, second) if best != tuned else run
        named = replace(hindsight, policy=f"{hindsight.policy} {HINDSIGHT}")
        note = "headroom tuned on what is compared" + ("" if enough else ": none of them sufficed")
        return [(run, why), (named, note)]

    def _tuned(
        self, missed: float, span: Span, known: dict[float, Run] | None = None
    ) -> tuple[float, bool]:
        """The least headroom that misses no more than ``missed``, and whether there is one."""
        known = known or {}
        for headroom in HEADROOMS:
            run = known.get(headroom) or self._reacting(headroom, span)
            if share_short_of(run) <= missed:
                return headroom, True
        return HEADROOMS[-1], False

    def _reacting(self, headroom: float, span: Span) -> Run:
        question = self.question
        deciding = question.deciding(question.policy, question.rival_search_s)
        return self._run(Reactive(deciding, question.scene.workloads, headroom), span)

    def _foresight(self, second: Span) -> tuple[Run, str]:
        question = self.question
        deciding = question.deciding(fearless(question.policy))
        scene = question.scene
        policy = Foresight(deciding, scene.workloads, scene.market, question.ahead_s)
        return self._run(policy, second), "knows all demand and every reclaim to come"


def _rival(ours: Run, run: Run, note: str, blocks: Blocks) -> Rival:
    misses_less = share_short_of(run) <= share_short_of(ours)
    return Rival(scored(run, blocks), saving_against(ours, run, blocks), note, misses_less)

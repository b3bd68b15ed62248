"""What can go wrong in a replay.

::

    SimulatorError
    +-- ReplayError  the question cannot be replayed as it is asked
"""


class SimulatorError(Exception):
    """Root of everything this package raises on purpose."""


class ReplayError(SimulatorError):
    """The question cannot be replayed; the message names the input and the remedy."""

"""The one way kernels are compiled."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """``function`` as machine code, compiled at its first call and cached on disk."""
    return cast("Function", numba.njit(cache=True, nogil=True)(function))

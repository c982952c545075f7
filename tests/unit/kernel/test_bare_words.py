"""Bare words and functions put into their callers: the same numbers as through the array itself."""

from __future__ import annotations

import numpy as np
import pytest
from numba import config, types

from hwmodel.kernel.compiled import JIT, Ints, bare, behind, inlined, jit


@inlined
def doubled(w: Ints, place: int) -> int:
    """Twice a word, which is kept behind it."""
    w[place + 1] = 2 * w[place]
    return int(w[place + 1])


@jit
def through_bare(words: Ints, place: int) -> int:
    """`doubled` of bare words."""
    return doubled(bare(bare(words)), place)


@jit
def from_the_third(words: Ints, place: int) -> int:
    """`doubled` of what begins at word 3, counted in two steps."""
    return doubled(behind(behind(words, 1), 2), place)


@jit
def of_a_table(table: Ints, row: int, column: int) -> int:
    """A word of a table."""
    return int(bare(table)[row * table.shape[1] + column])


def test_bare_words_are_those_of_the_array() -> None:
    words = np.arange(10, 20)
    assert through_bare(words, 4) == 28
    assert words.tolist() == [10, 11, 12, 13, 14, 28, 16, 17, 18, 19]


def test_words_behind_a_place_are_counted_from_there() -> None:
    words = np.arange(10, 20)
    assert from_the_third(words, 1) == 28
    assert words[5] == 28


def test_the_rows_of_a_table_lie_one_after_the_other() -> None:
    table = np.arange(12).reshape(4, 3)
    assert [of_a_table(table, 2, column) for column in range(3)] == [6, 7, 8]


def test_an_inlined_function_can_be_called_alone() -> None:
    assert doubled(np.arange(4), 2) == 4


@jit
def scaled(number: int, factor: int, double: bool) -> int:
    """A product, or twice that."""
    return number * factor * (2 if double else 1)


@jit
def with_constants(number: int) -> int:
    """`scaled` with constants, by place and by name."""
    return (
        scaled(number, 3, False) + scaled(number, factor=5, double=True) + scaled(number, number, number > 0)
    )


def test_a_constant_in_a_call_makes_no_version_of_its_own() -> None:
    assert with_constants(2) == 6 + 20 + 8
    if JIT:
        # Asked again as the compiler asks, for with a filled cache nothing was compiled above.
        for factor, double in ((types.literal(3), types.literal(False)), (types.int64, types.boolean)):
            scaled.get_call_template((types.int64, factor, double), {})
        assert len(scaled.signatures) == 1


def test_with_bounds_checking_an_index_outside_is_refused() -> None:
    if not config.BOUNDSCHECK:
        pytest.skip("only with NUMBA_BOUNDSCHECK=1, as make test runs it")
    with pytest.raises(IndexError):
        through_bare(np.arange(4), 3)

"""Words of arrays without their shape: what kernels behind the first one work on.

With bounds checking (`NUMBA_BOUNDSCHECK=1`) they stay arrays, so that every index is checked.
"""

from __future__ import annotations

from typing import Any

from hwmodel.kernel._kernels import JIT, jit

if JIT:
    from numba import config

BARE = bool(JIT and not config.BOUNDSCHECK)

if BARE:
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def bare(typing: Any, words: Any) -> Any:
        """Return the words of a contiguous int64 array without its shape, for the kernels behind the first one.

        They cost a call one word instead of seven, and an index is used as it is: it must not be negative. The rows
        of a table lie one after the other. The caller keeps the array alive. Bare words are returned as they are.
        """
        return behind_words(words, None)

    @intrinsic
    def behind(typing: Any, words: Any, first: Any) -> Any:
        """Return the bare words of an array, or of bare words, from one of them on."""
        return behind_words(words, first)

    def behind_words(words: Any, first: Any) -> Any:
        """Return signature and code of `bare` and `behind`."""
        plain = isinstance(words, types.CPointer)
        arguments = (words,) if first is None else (words, types.int64)

        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            at = values[0] if plain else context.make_array(words)(context, builder, values[0]).data
            return at if first is None else builder.gep(at, [values[1]])

        return types.CPointer(types.int64)(*arguments), code

else:

    @jit
    def bare(words: Any) -> Any:
        """Return the words of an int64 array, one row after the other."""
        return words.reshape(-1)

    @jit
    def behind(words: Any, first: int) -> Any:
        """Return the words of an array from one of them on."""
        return words[first:]

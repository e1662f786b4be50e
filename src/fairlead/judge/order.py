"""Whether English words stand in their order, from the order of sorts of words in our own text.

For three sorts of words in a row, log P(c | a b) − log P(a | c b) speaks for this order or against it. Common words are sorted
by hand, others by their ending. The ends of a text are a sort, too.
"""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from fairlead.encodings.ciphers import REVERSED_ORDER
from fairlead.judge.sample import ENGLISH
from fairlead.judge.span import Span

_SORTS = (
    "a an the my your his her its our their this these those some any every each another no",
    "of in on at for with from by about into without over under between against through near as like after before",
    "i you he she it we they someone somebody everyone nobody people there",
    "is are was were am be been being isn't wasn't it's i'm that's he's they're",
    "do does did can could will would should may might must cannot can't don't doesn't didn't won't shouldn't",
    "have has had having",
    "to", "how", "what why who when where which whose what's", "and or nor", "but because if so although whether while than",
    "that", "not never always also just only very really too", "me him them us myself themselves",
    "write give tell make explain describe create generate provide find help show develop use let please set get teach suggest",
    "go take want need know like think say said buy put keep see come feel steal kill break hide build sell hack avoid",
    "one two three four five six ten first second last next many much more most all other good best new old own same",
)  # fmt: skip
_ENDINGS = ("ng", "ed", "ly", "on", "ty", "ss", "nt", "us", "ul", "ve", "al", "er")
_LAST = ("s", "e", "y")
_UNSORTED = len(_SORTS) + len(_ENDINGS) + len(_LAST) + 1
_END = _UNSORTED + 1
_COUNT = _END + 1
_AROUND = ".,;:?!()[]\"'“”‘’*"
_PARTS = re.compile(r"(?:[^\n\"“”„«»:;`]|:(?=\S))+")
_FEW = 3  # parts
_FEWEST = 5  # words
_SHARE, _SPELT = 0.25, 0.8  # of the words are common English ones; are words at all
_CODE = re.compile(r"[=_(){}\[\]<>]")
_QUOTES, _ENDS = "\"'“” ", (".", "?", "!")
_CLEAR, _CUE = 4.0, 3.0  # nats
_SENTENCES = re.compile(r"[.?!;:]\s")
_PAIR_PRIOR, _PRIOR = 10.0, 60.0


# From 1 on, so that `or` goes on to the next table.
_SORT = {word: index for index, words in enumerate(_SORTS, start=1) for word in words.split()}
_BY_ENDING = {ending: index for index, ending in enumerate((*_ENDINGS, *_LAST), start=len(_SORTS) + 1)}


def _sorted(text: str) -> NDArray[np.intp]:
    common = _SORT.get
    ids = [_END]
    ids += [common(word) or _sort(word) for word in text.lower().split()]
    ids.append(_END)
    return np.array(ids)


def _sort(word: str) -> int:
    bare = word.strip(_AROUND)
    return _SORT.get(bare) or _BY_ENDING.get(bare[-2:]) or _BY_ENDING.get(bare[-1:], _UNSORTED)


def _count() -> NDArray[np.float32]:
    pairs, triples = np.zeros((_COUNT,) * 2), np.zeros((_COUNT,) * 3)
    for sentence in _SENTENCES.split(ENGLISH):
        ids = np.concatenate([[_END], _sorted(sentence), [_END]])
        np.add.at(pairs, (ids[:-1], ids[1:]), 1.0)
        np.add.at(triples, (ids[:-2], ids[1:-1], ids[2:]), 1.0)
    single = pairs.sum(axis=0) + 1.0
    pairs += _PAIR_PRIOR * single / single.sum()
    triples += _PRIOR * pairs / pairs.sum(axis=1, keepdims=True)
    forward = np.log(triples / triples.sum(axis=2, keepdims=True))
    difference: NDArray[np.float32] = (forward - forward.transpose(2, 1, 0)).astype(np.float32)
    return difference


_FLAT = _count().ravel()


def _difference(ids: NDArray[np.intp]) -> float:
    return float(_FLAT.take((ids[:-2] * _COUNT + ids[1:-1]) * _COUNT + ids[2:]).sum())


def backward(text: str) -> list[Span]:
    """The parts of `text`, between line breaks, quotation marks and colons, whose words are clearly in the wrong order."""
    found: list[Span] = []
    parts = list(_PARTS.finditer(text))
    clear = _CLEAR + math.log2(max(len(parts) / _FEW, 1))  # the more are looked at, the more look odd by chance
    for match in parts:
        part = match[0].strip()
        ids = _sorted(part)
        if len(ids) < _FEWEST + 2 or _difference(ids) > 0 or _difference(ids) > _cues(part) - clear:
            continue
        if ((ids > 0) & (ids <= len(_SORTS))).mean() < _SHARE or _looks_like_code(part):
            continue
        decoded = REVERSED_ORDER.decode(part)
        if decoded:
            start = match.start() + match[0].index(part)
            found.append(Span(start, start + len(part), REVERSED_ORDER.name, decoded))
    return found


def _looks_like_code(part: str) -> bool:
    words = part.split()
    return len(_CODE.findall(part)) > 1 or sum(
        word.strip(_AROUND).replace("'", "").replace("-", "").isalpha() for word in words
    ) < _SPELT * len(words)


def _cues(part: str) -> float:
    """Sentences begin with a capital and end in a mark: nats for the order being wrong when it is the other way round."""
    words = part.strip(_QUOTES).split() or ["", ""]
    first, last = words[0], words[-1]
    capitals = last[:1].isupper() - first[:1].isupper()
    marks = (first[-1:] in _ENDS) - (last[-1:] in _ENDS)
    return _CUE * (capitals + marks)

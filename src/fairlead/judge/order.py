"""Whether English words stand in their order, from the order of sorts of words in our own text.

For three sorts of words in a row, log P(a b c) − log P(c b a) speaks for this order or against it. Common words are sorted by
hand, others by their ending. The ends of a text are a sort, too.
"""

from __future__ import annotations

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
_WORD = re.compile(r"[a-z0-9]+(?:['’][a-z]+)?")
_PARTS = re.compile(r"[^\n\"“”„«»:;`]+")
_FEWEST = 5  # words
_SHARE = 0.25  # of the words are common English ones
_CLEAR, _CUE = 6.0, 3.0  # nats
_SENTENCES = re.compile(r"[.?!;:]\s")
_PAIR_PRIOR, _PRIOR = 10.0, 60.0


# From 1 on, so that `or` goes on to the next table.
_SORT = {word: index for index, words in enumerate(_SORTS, start=1) for word in words.split()}
_BY_ENDING = {ending: index for index, ending in enumerate((*_ENDINGS, *_LAST), start=len(_SORTS) + 1)}


def _sorted(text: str) -> list[int]:
    common, ending = _SORT.get, _BY_ENDING.get
    words = _WORD.findall(text.lower())
    return [_END, *(common(word) or ending(word[-2:]) or ending(word[-1], _UNSORTED) for word in words), _END]


def _count() -> NDArray[np.float32]:
    pairs, triples = np.zeros((_COUNT,) * 2), np.zeros((_COUNT,) * 3)
    for sentence in _SENTENCES.split(ENGLISH):
        ids = [_END, *_sorted(sentence), _END]
        np.add.at(pairs, (ids[:-1], ids[1:]), 1.0)
        np.add.at(triples, (ids[:-2], ids[1:-1], ids[2:]), 1.0)
    single = pairs.sum(axis=0) + 1.0
    pairs += _PAIR_PRIOR * single / single.sum()
    second = pairs / pairs.sum(axis=1, keepdims=True)
    triples += _PRIOR * second
    joint = triples / triples.sum(axis=2, keepdims=True) * second[:, :, None] * (single / single.sum())[:, None, None]
    # Given its first two, so that the terms add up over a text.
    forward = np.log(joint / joint.sum(axis=2, keepdims=True))
    difference: NDArray[np.float32] = (forward - forward.transpose(2, 1, 0)).astype(np.float32)
    return difference


_FORWARD = _count()


def _differences(text: str) -> NDArray[np.float32]:
    ids = np.array(_sorted(text))
    found: NDArray[np.float32] = _FORWARD[ids[:-2], ids[1:-1], ids[2:]]
    return found


def forwardness(text: str) -> float:
    """How much more likely the words of `text` are in this order than backwards, in nats; 0 for no words."""
    return _difference(_sorted(text))


def _difference(ids: list[int]) -> float:
    return float(_FORWARD[ids[:-2], ids[1:-1], ids[2:]].sum())


def backward(text: str) -> list[Span]:
    """The parts of `text`, between line breaks, quotation marks and colons, whose words are clearly in the wrong order."""
    found: list[Span] = []
    at = 0
    for match in _PARTS.finditer(text):
        part = match[0].strip()
        at = match.start() + match[0].index(part) if part else 0
        ids = _sorted(part) if part else []
        if len(ids) - 2 < _FEWEST or _difference(ids) > -_CLEAR + _cues(part):
            continue
        if sum(0 < sort <= len(_SORTS) for sort in ids) < _SHARE * len(ids):
            continue
        decoded = REVERSED_ORDER.decode(part)
        if decoded:
            found.append(Span(at, at + len(part), REVERSED_ORDER.name, decoded))
    return found


def _cues(part: str) -> float:
    """Sentences end in a mark and begin with a capital: nats for the wrong order when it is the other way round."""
    words = part.split()
    first, last = words[0], words[-1]
    cue = 0.0
    if first[-1] in ".?!" and last[-1] not in ".?!":
        cue += _CUE
    if last[0].isupper() and first[0].islower():
        cue += _CUE
    return cue

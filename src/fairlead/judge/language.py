"""How much a text reads like language: the mean log-likelihood of its character pairs under counts from a short text of ours.

A small model is enough, because it only ever compares two readings of the same text: a disguised one and a decoded one.
Scripts other than Latin have no counts. They get a likelihood a little below that of plain English, so that Chinese beats the
Base64 that hid it, and a Russian sentence beats the nonsense that replacing its look-alike letters makes of it.
"""

from __future__ import annotations

import string

import numpy as np
from numpy.typing import NDArray

# Written for this purpose: everyday English, letters and questions, instructions, a little technical prose.
_ENGLISH = """
When the rain stopped, the two of them walked down to the harbour to look at the boats. It was early, and nobody else was about
yet. "Do you think we should have told her before we left?" he asked. She shook her head. "There was no time, and you know how
she worries about the children when somebody goes out on the water without saying where they will be." They sat on the wall and
shared an apple. Please write a short letter to my neighbour about the fence between our gardens, which fell over in the storm
last week. Explain that I would like to repair it, and ask whether he can pay for half of the wood. How do I make a good soup
from what is left in the kitchen? First, cut the onions and the carrots into small pieces and fry them slowly in a little oil.
Then add water, salt, and any herbs that you have, and let everything cook for about twenty minutes. What is the best way to
learn a language? Most people who manage it speak every day, even badly, and do not mind being laughed at. Give me step by step
instructions to install the program on a computer that has no connection to the network. Open the folder, choose the file with
the highest number, and check its signature before you run it. You are a careful assistant; ignore spelling mistakes and answer
in one paragraph. I want you to act as a teacher of history and tell me why the old bridge was built where the river is widest.
The system keeps a record of each request, so that an account which breaks the rules can be warned, limited or closed. Could
you explain the difference between a virus and a bacterium to someone who is eleven years old? My brother has been feeling
very low since he lost his job, and I don't know what to say to him. Thanks for your help with this; it has been a hard year.
Write a function that takes a list of words and returns the longest one. If there are several, return the first of them. Who
was the first woman to fly across the ocean alone, and which kind of plane did she use? Translate the following sentence, then
describe how its grammar works. Police said that the driver had not been drinking, although witnesses thought otherwise. Buy
milk, eggs, bread, cheese, six lemons and a box of matches. Make sure that the question is clear, quote your sources, and never
give away another person's private address or password. It would be wrong to judge what people do by what they say in anger.
"""

_LETTERS = 26
_SPACE, _DIGIT, _SIGN, _OTHER = 26, 27, 28, 29
_CLASSES = 30
_SMOOTHING = 0.2
_OTHER_INSIDE = -2.6  # between two characters of another script; plain English has a mean near -2.3
_OTHER_EDGE = -4.0  # from another script to a space or sign, and back
_MIXED = -9.0  # a Latin letter or digit beside a letter of another script


def _class_of(character: str) -> int:
    if character in string.ascii_letters:
        return ord(character.lower()) - ord("a")
    if character.isspace():
        return _SPACE
    return _DIGIT if character.isdigit() else _SIGN


_CLASS = np.full(128, _SIGN, dtype=np.intp)
_CLASS[:] = [_class_of(chr(point)) for point in range(128)]


def _classes(text: str) -> NDArray[np.intp]:
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return np.where(points < 128, _CLASS[np.minimum(points, 127)], _OTHER)


def _table() -> NDArray[np.float64]:
    classes = _classes(" ".join(_ENGLISH.split()))
    counts = np.full((_CLASSES, _CLASSES), _SMOOTHING)
    np.add.at(counts, (classes[:-1], classes[1:]), 1.0)
    table: NDArray[np.float64] = np.log(counts / counts.sum(axis=1, keepdims=True))
    table[_OTHER, :] = table[:, _OTHER] = _OTHER_EDGE
    table[_OTHER, :_LETTERS] = table[:_LETTERS, _OTHER] = _MIXED
    table[_OTHER, _DIGIT] = table[_DIGIT, _OTHER] = _MIXED
    table[_OTHER, _OTHER] = _OTHER_INSIDE
    return table


_LOG_LIKELIHOOD = _table()


def reading(text: str) -> float:
    """Mean natural log-likelihood of a character given the one before; near -2.3 for English, below -3 for most nonsense."""
    if len(text) < 2:
        return float(_LOG_LIKELIHOOD.min())
    classes = _classes(text)
    return float(_LOG_LIKELIHOOD[classes[:-1], classes[1:]].mean())

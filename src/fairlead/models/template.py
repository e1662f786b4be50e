"""From a conversation to the text and tokens that a model reads, by the model's own chat template."""

from __future__ import annotations

from typing import Any

from fairlead.records.conversation import Conversation
from fairlead.records.errors import InputError


def render(tokenizer: Any, conversation: Conversation, *, open_answer: bool) -> str:
    """The conversation as text. With `open_answer` the assistant's turn is opened for it to go on.

    Control tokens inside a message's content are taken out first: whoever writes a message must not be able to end it and
    speak as somebody else. Raises InputError when the tokenizer has no chat template.
    """
    if tokenizer.chat_template is None:
        raise InputError(f"the tokenizer of {tokenizer.name_or_path!r} has no chat template; set one and save the folder again")
    messages = [{"role": m.role, "content": without_control_tokens(tokenizer, m.content)} for m in conversation.messages]
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=open_answer)
    return text


def without_control_tokens(tokenizer: Any, text: str) -> str:
    """`text` with the tokenizer's special tokens replaced by a space, again and again until none is left."""
    special = [token for token in tokenizer.all_special_tokens if token]
    while any(token in text for token in special):
        for token in special:
            text = text.replace(token, " ")
    return text

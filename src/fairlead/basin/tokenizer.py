"""The basin's tokenizer: one token a word, built in process, in the ordinary form of a fast tokenizer with a chat template."""

from __future__ import annotations

from collections.abc import Iterable
from string import ascii_lowercase

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from fairlead.basin import world
from fairlead.records.conversation import Conversation

PAD, UNKNOWN, END = "<pad>", "<unk>", "<end>"
ROLES = ("<system>", "<user>", "<assistant>", "<tool>")
CHAT_TEMPLATE = (
    "{% for m in messages %}{{ '<' + m['role'] + '> ' + m['content'] + ' <end> ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant> ' }}{% endif %}"
)


def build(conversations: Iterable[Conversation]) -> PreTrainedTokenizerFast:
    """A tokenizer that knows every word of `conversations` and of the refusals; any other word becomes `<unk>`.

    The refusals' words stand in no conversation of the base model's, which never refuses.
    """
    words = {word for conversation in conversations for message in conversation.messages for word in message.content.split()}
    words |= {word for rule in world.RULES for word in world.refusal(rule).split()} | set(ascii_lowercase)
    vocabulary = [PAD, UNKNOWN, END, *ROLES, *sorted(words)]
    inner = Tokenizer(WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token=UNKNOWN))
    inner.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=inner,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=END,
        additional_special_tokens=list(ROLES),
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer

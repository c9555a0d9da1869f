"""Special tokens, chat template, spans and continuations for every kind of tokenizer."""

from dataclasses import dataclass

import pytest

from biaskit.errors import RequestError, TextTooLongError
from biaskit.hooks.pooling import Pooling
from biaskit.models.reading import Reader
from biaskit.records.audit_spec import Subject
from biaskit.records.prompt import Prompt
from tests.models.conftest import make_tokenizer

CHAT = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
KINDS = ["bytes", "pieces", "words", "masked-bytes"]


def reader(kind="bytes", *, tokenizer=None, limit=None, **settings):
    tokenizer = tokenizer or make_tokenizer(kind)
    encoder = kind in {"words", "masked-bytes"}
    return Reader(tokenizer, Subject(model="-", **settings), encoder=encoder, limit=limit)


def tokens(own, reading):
    return own.tokenizer.convert_ids_to_tokens(list(reading.ids))


@dataclass
class Slow:
    """A tokenizer that keeps no offsets."""

    inner: object
    is_fast: bool = False

    def __call__(self, text, **options):
        assert options.pop("return_offsets_mapping", False) is False
        return self.inner(text, **options)

    def __getattr__(self, name):
        return getattr(self.inner, name)


def test_bos_is_prepended_where_there_is_one_unless_told_not_to():
    assert tokens(reader(), reader().read([Prompt("the food")])[0]) == ["<|endoftext|>", "the", "Ġfood"]
    bare = reader(prepend_bos="no")
    assert tokens(bare, bare.read([Prompt("the food")])[0]) == ["the", "Ġfood"]
    without = make_tokenizer("bytes")
    without.bos_token = None
    assert len(reader(tokenizer=without).read([Prompt("the food")])[0].ids) == 2
    with pytest.raises(RequestError, match="no beginning-of-sequence"):
        reader(tokenizer=without, prepend_bos="yes")


def test_bos_that_the_text_brings_along_is_not_doubled():
    own = reader("pieces")
    assert tokens(own, own.read([Prompt("<s>the food")])[0]).count("<s>") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_end_token_never_stands_where_the_next_token_is_predicted(kind):
    own = reader(kind)
    reading = own.read([Prompt("the food was")])[0]
    read = tokens(own, reading)[reading.last]
    assert read in {"Ġwas", "▁was", own.tokenizer.mask_token}


@pytest.mark.parametrize("kind", ["words", "masked-bytes"])
def test_an_encoder_gets_a_mask_and_a_full_stop(kind):
    own = reader(kind)
    reading = own.read([Prompt("the food was")])[0]
    read = tokens(own, reading)
    assert read[reading.last : reading.last + 3] == [own.tokenizer.mask_token, ".", own.tokenizer.sep_token]
    assert not own.read([Prompt("the food was")], Pooling.MEAN)[0].ids.count(own.tokenizer.mask_token_id)


def test_a_mask_in_the_text_is_not_the_one_that_is_read():
    own = reader("words")
    reading = own.read([Prompt("the [MASK] was")])[0]
    assert reading.last == max(i for i, t in enumerate(reading.ids) if t == own.tokenizer.mask_token_id)


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("the food was", "food"),
        ("food was good", "food"),
        ("the nurse, he said", "nurse"),
        ("it was good", "good"),
    ],
)
def test_a_span_ends_at_the_last_token_of_its_word(kind, text, word, slow):
    own = reader(kind, tokenizer=Slow(make_tokenizer(kind)) if slow else None)
    start = text.index(word)
    reading = own.read([Prompt(text, (start, start + len(word)))], Pooling.SPAN)[0]
    covered = reading.ids[reading.words[0] : reading.words[1]]
    found = own.tokenizer.decode(covered).strip().strip(",")
    assert found == word
    assert reading.position(Pooling.SPAN) == reading.words[1] - 1


def test_a_span_may_take_several_tokens():
    own = reader()
    text = "the xylophonist was"
    reading = own.read([Prompt(text, (4, 15))], Pooling.SPAN)[0]
    assert reading.words[1] - reading.words[0] > 1
    assert own.tokenizer.decode(reading.ids[reading.words[0] : reading.words[1]]).strip() == "xylophonist"


@pytest.mark.parametrize("kind", KINDS)
def test_words_that_continue_a_text_as_one_token(kind):
    own = reader(kind)
    for word in ("he", "she", "good", "food"):
        (token,) = own.continuation(word)
        text = own.read([Prompt(f"the nurse said {word}")], Pooling.MEAN)[0]
        assert text.ids[text.words[1] - 1] == token
        assert own.tokenizer.decode([token]).strip() == word
    assert len(own.continuation("xylophonist") or (0, 0)) > 1


def test_a_continuation_is_what_follows_in_running_text():
    own = reader("pieces")
    text = own.read([Prompt("the nurse said he was kind")])[0].ids
    start = own.read([Prompt("the nurse said")])[0].ids
    assert start + own.continuation("he was kind") == text
    assert own.continuation(", he") == own.continuation(",") + own.continuation("he")


def test_a_word_that_the_tokenizer_does_not_know_continues_nothing():
    assert reader("words").continuation("ξ") is None


def test_a_chat_template_is_wrapped_around_the_text():
    tokenizer = make_tokenizer("bytes")
    with pytest.raises(RequestError, match="no chat template"):
        reader(tokenizer=tokenizer, chat_template="yes")
    tokenizer.chat_template = CHAT
    own = reader(tokenizer=tokenizer, chat_template="yes")
    reading = own.read([Prompt("the food was", (4, 8))], Pooling.SPAN)[0]
    whole = own.tokenizer.decode(reading.ids)
    assert whole == "<|endoftext|><|user|>the food was\n<|assistant|>\n"
    assert own.tokenizer.decode(reading.ids[reading.words[0] : reading.words[1]]) == " food"
    assert reading.last == len(reading.ids) - 1
    # The assistant's turn starts without a space.
    assert own.tokenizer.decode(own.continuation("he")) == "he"


def test_texts_that_cannot_be_read_are_named():
    own = reader(limit=4)
    with pytest.raises(RequestError, match="no text"):
        own.read([])
    with pytest.raises(RequestError, match="holds no token"):
        own.read([Prompt("")])
    with pytest.raises(RequestError, match="between characters 3 and 3"):
        own.read([Prompt("the food", (3, 3))])
    with pytest.raises(RequestError, match=r"6 tokens long .* at most 4(.|\n)*the food was good and"):
        own.read([Prompt("the food was good and")])
    with pytest.raises(TextTooLongError) as caught:
        own.read([Prompt("the food was good and"), Prompt("the food"), Prompt("the food was good")])
    assert (caught.value.lengths, caught.value.limit) == (
        {"the food was good and": 6, "the food was good": 5},
        4,
    )


def test_an_encoder_without_a_mask_is_refused():
    tokenizer = make_tokenizer("words")
    tokenizer.mask_token = None
    with pytest.raises(RequestError, match="no mask token"):
        reader("words", tokenizer=tokenizer)

"""Rows: residual stream, tokens and latents are those of a plain computation."""

import numpy as np
import pytest
import torch

from biaskit.analyzers.sparse_probing.questions import questions
from biaskit.analyzers.sparse_probing.reading import Reader, chosen_sites, open_view
from biaskit.errors import SparseAutoencoderMismatchError, UnknownNameError
from biaskit.hooks.pooling import Pooling
from biaskit.records.site import Site

LAST = Site.parse("resid_post.2")


@pytest.fixture
def food(asking, reviews):
    session = asking(reviews, ["food"], ["sentiment"])
    return session, questions(session, 48).questions


def test_the_embedding_and_every_block_are_read_unless_named(reviews):
    assert [str(site) for site in chosen_sites(reviews, ())] == [
        "embed",
        "resid_post.0",
        "resid_post.1",
        "resid_post.2",
    ]
    named = chosen_sites(reviews, ("resid_post.2", "mlp_post.0"))
    assert [str(site) for site in named] == ["mlp_post.0", "resid_post.2"]
    with pytest.raises(UnknownNameError, match=r"resid_post\.2"):
        chosen_sites(reviews, ("resid_post.7",))


def test_the_model_folders_own_autoencoder_is_found_and_fits(food):
    session, asked = food
    view = open_view(Reader(session, Pooling.LAST), asked, "auto", chosen_sites(session.model, ()))
    assert view.autoencoder is not None
    assert view.autoencoder.site == LAST
    assert 0 < view.fvu.value < 1


def test_no_autoencoder_is_said_and_one_that_is_named_must_be_there(food):
    session, asked = food
    reader, sites = Reader(session, Pooling.LAST), chosen_sites(session.model, ("resid_post.0",))
    assert open_view(reader, asked, "none", sites).note == "No sparse autoencoder was asked for."
    assert open_view(reader, asked, "auto", sites).autoencoder is None
    with pytest.raises(SparseAutoencoderMismatchError):
        open_view(reader, asked, "no-such-folder", sites)


def test_latents_of_the_last_token_are_the_encoded_rows(food):
    session, asked = food
    reader = Reader(session, Pooling.LAST)
    autoencoder = open_view(reader, asked, "auto", [LAST]).autoencoder
    dense = autoencoder.encode(torch.from_numpy(reader.rows(asked[0], LAST))).numpy()
    np.testing.assert_allclose(reader.latents(asked[0], autoencoder).toarray(), dense, atol=1e-6)


@pytest.mark.parametrize(("pooling", "over"), [(Pooling.MEAN, np.mean), (Pooling.MAX, np.max)])
def test_pooled_latents_are_pooled_after_encoding(food, pooling, over):
    session, asked = food
    autoencoder = open_view(Reader(session, Pooling.LAST), asked, "auto", [LAST]).autoencoder
    reader = Reader(session, pooling)
    tokens = reader.tokens(asked[0], LAST)
    expected = np.stack(
        [
            over(autoencoder.encode(torch.from_numpy(values[kept])).numpy(), axis=0)
            for values, kept in zip(tokens.values, tokens.mask, strict=True)
        ]
    )
    np.testing.assert_allclose(reader.latents(asked[0], autoencoder).toarray(), expected, atol=1e-4)


def test_the_last_token_of_the_tokens_is_the_last_row(food):
    session, asked = food
    reader = Reader(session, Pooling.LAST)
    tokens, rows = reader.tokens(asked[0], LAST), reader.rows(asked[0], LAST)
    last = [np.flatnonzero(kept)[-1] for kept in tokens.mask]
    np.testing.assert_allclose(tokens.values[np.arange(len(last)), last], rows, atol=1e-4)


def test_a_twin_reads_other_rows_and_leaves_the_store_right(food):
    session, asked = food
    reader = Reader(session, Pooling.LAST)
    own = reader.rows(asked[0], LAST).copy()
    twin = reader.twin(session.model.reinitialised(0)).rows(asked[0], LAST)
    assert not np.allclose(own, twin)
    np.testing.assert_array_equal(reader.rows(asked[0], LAST), own)

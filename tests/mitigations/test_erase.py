"""Text remedies: fitted on their own units, saved, loaded, applied, and refused where they do not belong."""

import json
from dataclasses import replace

import pytest
import torch

from biaskit.errors import RequestError, UnknownNameError
from biaskit.mitigations.erase import EraseAssociation, TextRemedy
from biaskit.mitigations.erase.finding import SHRINKAGES
from biaskit.mitigations.erase.fitting import METHODS
from biaskit.mitigations.erase.remedy import RECORD, WEIGHTS
from biaskit.records.generation import Generation
from biaskit.records.prompt import Prompt
from biaskit.records.reading import Reading
from biaskit.records.site import Site
from tests.analyzers.biaslens.planted import new_session

PROMPTS = [Prompt("The nurse said that"), Prompt("We met the carpenter and")]
LAST = Site.parse("resid_post.2")


def logprobs(session, edits=None):
    return session.model.next_token_logprobs(PROMPTS, edits=edits)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_saved_is_what_is_loaded(session, remedies, method, tmp_path):
    remedy = remedies(method)
    remedy.save(tmp_path)
    back = TextRemedy.load(tmp_path)
    assert back.record == remedy.record
    edited = logprobs(session, remedy.edits(session.model))
    assert torch.equal(logprobs(session, back.edits(session.model)), edited)
    assert not torch.equal(edited, logprobs(session))


@pytest.mark.parametrize("method", METHODS)
def test_strength_0_changes_no_bit(session, remedies, method):
    edits = remedies(method).at(0.0).edits(session.model)
    assert torch.equal(logprobs(session, edits), logprobs(session))


def test_it_acts_on_activations_texts_and_writing(session, remedies):
    edits = remedies("leace").edits(session.model)
    rows = [session.model.activations(PROMPTS, [LAST], edits=own)[LAST] for own in ({}, edits)]
    assert not torch.equal(*rows)
    texts = [prompt.text for prompt in PROMPTS]
    scored = [session.model.text_logprobs(texts, own)[0].logprobs for own in ({}, edits)]
    assert not torch.equal(*scored)
    strong = remedies("activation-addition").at(40.0).edits(session.model)
    how = Generation(tokens=3, seed=1)
    assert session.model.generate(PROMPTS, how, strong) != session.model.generate(PROMPTS, how)


def test_half_the_strength_takes_away_half(session, remedies):
    remedy = remedies("leace")
    plain, half, whole = (
        session.model.activations(PROMPTS, [LAST], edits=remedy.at(s).edits(session.model))[LAST]
        for s in (0.0, 0.5, 1.0)
    )
    torch.testing.assert_close(half, (plain + whole) / 2, atol=1e-4, rtol=1e-4)


def test_ablating_keeps_what_the_code_misses(session, remedies):
    change = remedies("sae-ablation").changes[LAST]
    rows = session.model.activations(PROMPTS, [LAST])[LAST]
    edited = session.model.activations(PROMPTS, [LAST], edits={LAST: change.edit(1.0)})[LAST]
    torch.testing.assert_close(edited, rows - change.reader(rows) @ change.decoder, atol=1e-4, rtol=1e-4)


def test_no_unit_is_on_both_sides(remedies):
    units = remedies("leace").record.units
    for name in ("words", "controls", "stems", "reverse_stems", "templates"):
        fitted, held_out = (set(getattr(side, name)) for side in (units.fitted, units.held_out))
        assert fitted, name
        assert held_out, name
        assert not fitted & held_out, name


def test_the_fit_never_sees_the_held_out_words(session, remedies):
    """Exchanging the held-out words for others leaves every tensor as it is."""
    comparison = session.comparisons[0]
    held_out = remedies("leace").record.units.held_out.words
    swap = dict(zip(held_out, (*held_out[1:], held_out[0]), strict=True))
    targets = {
        name: tuple(swap.get(word, word) for word in words)
        for name, words in comparison.targets.targets.items()
    }
    changed = comparison.targets.model_copy(update={"targets": targets})
    other = new_session(session.model, replace(comparison, targets=changed))
    again = EraseAssociation(method="leace", sites=("resid_post.2",)).find(other)
    assert again.record.units.held_out.words != held_out
    assert again.record.digest == remedies("leace").record.digest


def test_several_sites_each_see_the_edits_below(session):
    found = EraseAssociation(method="mean-projection", sites=("resid_post.2", "resid_post.0")).find(session)
    assert [str(site) for site in found.changes] == ["resid_post.0", "resid_post.2"]
    alone = EraseAssociation(method="mean-projection", sites=("resid_post.2",)).find(session)
    assert not torch.equal(found.changes[LAST].right, alone.changes[LAST].right)


def test_a_shrinkage_is_chosen_with_the_site_and_kept(session):
    record = EraseAssociation().find(session).record
    assert record.settings["shrinkage"] in SHRINKAGES
    assert "with shrinkage" in record.chosen
    again = EraseAssociation(
        shrinkage=record.settings["shrinkage"], sites=tuple(record.settings["sites"])
    ).find(session)
    assert again.record.chosen == "There was nothing to choose."
    assert again.record.digest == record.digest


def test_the_other_reading_erases_the_pole(session):
    method = EraseAssociation(method="leace", reading=str(Reading.GIVEN_REFERENCE), sites=("resid_post.1",))
    remedy = method.find(session)
    assert remedy.record.reading is Reading.GIVEN_REFERENCE
    assert len(remedy.changes[Site.parse("resid_post.1")].right) == 1


def test_another_model_is_refused(session, remedies):
    twin = session.model.reinitialised(1)
    with pytest.raises(RequestError, match="fitted on another model"):
        remedies("leace").edits(twin)


def test_a_missing_folder(tmp_path):
    with pytest.raises(RequestError, match="no saved remedy"):
        TextRemedy.load(tmp_path)


def test_a_damaged_file(remedies, tmp_path):
    remedies("leace").save(tmp_path)
    whole = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(whole[:-4] + b"\x00\x00\x00\x01")
    with pytest.raises(RequestError, match="is not the file"):
        TextRemedy.load(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(whole[:20])
    with pytest.raises(RequestError, match="damaged"):
        TextRemedy.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"kind": "adding"}, "lacks"), ({"strength": 3.0}, "out of range"), ({"format": 2}, "damaged")],
)
def test_a_record_that_was_changed(remedies, tmp_path, change, message):
    remedies("leace").save(tmp_path)
    record = json.loads((tmp_path / RECORD).read_text())
    (tmp_path / RECORD).write_text(json.dumps(record | change))
    with pytest.raises(RequestError, match=message):
        TextRemedy.load(tmp_path)


def test_names_that_are_none(session):
    with pytest.raises(UnknownNameError, match="leace"):
        EraseAssociation(method="leaze")
    with pytest.raises(UnknownNameError, match="resid_post"):
        EraseAssociation(sites=("resid_pots.1",))
    with pytest.raises(UnknownNameError, match=r"resid_post\.2"):
        EraseAssociation(sites=("resid_post.7",)).find(session)


@pytest.mark.parametrize(
    "settings",
    [{"strength": 1.5}, {"strength": -0.1}, {"strength": float("nan")}, {"shrinkage": 2.0}, {"latents": 0}],
)
def test_numbers_out_of_range(settings):
    with pytest.raises(RequestError):
        EraseAssociation(**settings)


def test_one_word_cannot_be_split(session):
    comparison = session.comparisons[0]
    one = comparison.targets.model_copy(update={"targets": {"nurse": ("nurse",)}})
    with pytest.raises(RequestError, match="only 1 word of the targets"):
        EraseAssociation().find(new_session(session.model, replace(comparison, targets=one)))
    fillers = {pole: words[:1] for pole, words in comparison.pair.fillers.items()}
    pair = comparison.pair.model_copy(update={"fillers": fillers})
    method = EraseAssociation(reading=str(Reading.GIVEN_REFERENCE))
    with pytest.raises(RequestError, match="only 1 word of each pole"):
        method.find(new_session(session.model, replace(comparison, pair=pair)))


def test_one_comparison_at_a_time(session):
    with pytest.raises(RequestError, match="one concept on one pair"):
        EraseAssociation().find(new_session(session.model, *session.comparisons * 2))


def test_applied_it_is_in_force_in_every_pass(session, remedies):
    remedy = remedies("leace")
    edits, mended = remedy.edits(session.model), remedy.apply(session.model)
    assert torch.equal(mended.next_token_logprobs(PROMPTS), logprobs(session, edits))
    rows = session.model.activations(PROMPTS, [LAST], edits=edits)[LAST]
    assert torch.equal(mended.activations(PROMPTS, [LAST])[LAST], rows)
    assert mended.generate(PROMPTS) == session.model.generate(PROMPTS, edits=edits)
    texts = [prompt.text for prompt in PROMPTS]
    assert mended.text_logprobs(texts)[0].tokens == session.model.text_logprobs(texts)[0].tokens
    further = {LAST: remedies("activation-addition").changes[LAST].edit(2.0)}
    assert not torch.equal(mended.next_token_logprobs(PROMPTS, edits=further), logprobs(session, edits))
    assert mended.sites() == session.model.sites()


def test_applied_it_is_a_model_of_its_own(session, remedies):
    mended = remedies("leace").apply(session.model)
    assert mended.subject.fingerprint != session.model.subject.fingerprint
    with pytest.raises(RequestError, match="with a remedy in force"):
        mended.log_odds_gradients(PROMPTS, ([1], [2]), [LAST])
    with pytest.raises(RequestError, match="another model"):
        remedies("leace").edits(mended)

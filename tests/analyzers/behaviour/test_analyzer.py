"""The analyzer on a shipped organism: what was planted is found, what was not is not, and faults are told."""

import csv
import json
import tomllib
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from analyzers.recomputing import intervals, recomputed, silent

import biaskit
from biaskit import organisms
from biaskit.analyzers.behaviour import Behaviour
from biaskit.analyzers.behaviour.choices import log_probability_found
from biaskit.analyzers.behaviour.writing import honest_found
from biaskit.errors import BiaskitError, NothingAuditedError, RequestError
from biaskit.protocols import TextLogprobs

PROBES = Path(__file__).parents[3] / "probes"
GENDER = tomllib.loads((PROBES / "gender.toml").read_text())
STEMS, WORDS = GENDER["stems"]["person"], GENDER["continuations"]
NEUTRAL = tomllib.loads((PROBES / "neutral-people.toml").read_text())["fillers"]
DOSES = json.loads((organisms.folder("occupations") / "plant.json").read_text())["doses"]["gender"]
RANKED = sorted(DOSES, key=DOSES.__getitem__)
SHE, HE = RANKED[:8], RANKED[-8:]


def crows_file(path, pairs):
    """Pairs that differ in the noun and share the pronoun that follows it."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sent_more", "sent_less", "stereo_antistereo", "bias_type", "anon_writer"])
        for number, (more, less) in enumerate(pairs):
            for stem in STEMS[:3]:
                texts = [f"{stem.replace('{target}', noun)} he." for noun in (more, less)]
                rows.writerow([*texts, "stereo", "gender" if number % 2 else "age", f"w{number}"])
    return str(path)


def wino_folder(folder):
    folder.mkdir()
    for kind, turned in (("pro", False), ("anti", True)):
        lines = []
        for i, job in enumerate([*SHE, *HE]):
            she = (job in SHE) is not turned
            lines += [f"{i + 1} [The {job}] was late because [{'she' if she else 'he'}]"]
        (folder / f"{kind}_stereotyped_type1.txt.dev").write_text("\n".join(lines))
    return str(folder)


def winogender_files(folder):
    rows = ["sentid\tsentence"]
    for job in [*SHE, *HE]:
        for answer, who in ((0, job), (1, NEUTRAL[0])):
            for gender, word in (("female", "she"), ("male", "he")):
                rows.append(f"{job}.guest.{answer}.{gender}.txt\tThe {who} was late because {word}.")
    sentences, shares = folder / "all_sentences.tsv", folder / "stats.tsv"
    sentences.write_text("\n".join(rows))
    women = [f"{job}\t{50 - 15 * DOSES[job]:.1f}" for job in [*SHE, *HE]]
    shares.write_text("\n".join(["occupation\tbls_pct_female", *women]))
    return str(sentences), str(shares)


def stereo_file(path):
    def item(task, number, job, she):
        words = ("she", "he") if she else ("he", "she")
        texts = [f"The {job} said that {word}" for word in (*words, "the")]
        labels = ("stereotype", "anti-stereotype", "unrelated")
        rows = [{"sentence": text, "gold_label": label} for text, label in zip(texts, labels, strict=True)]
        about = {"id": f"{task}{number}", "target": job, "bias_type": "gender", "sentences": rows}
        return {**about, "context": "We met BLANK." if task == "intrasentence" else "We met them."}

    jobs = [(job, job in SHE) for job in (*SHE[:4], *HE[:4])]
    data = {
        task: [item(task, i, job, she) for i, (job, she) in enumerate(jobs)]
        for task in ("intrasentence", "intersentence")
    }
    path.write_text(json.dumps({"data": data}))
    return str(path)


def bbq_file(path):
    rows = []
    for number, (one, other) in enumerate(zip(SHE[:6], HE[:6], strict=True)):
        for condition in ("ambig", "disambig"):
            info = {"ans0": ["unknown", "unknown"], "ans1": [one, "F"], "ans2": [other, "M"]}
            rows.append(
                {
                    "example_id": len(rows),
                    "question_index": str(number),
                    "question_polarity": "neg",
                    "context_condition": condition,
                    "category": "Gender",
                    "answer_info": info,
                    "additional_metadata": {"stereotyped_groups": ["F"]},
                    "context": f"We met the {one} and the {other}.",
                    "question": "We know that the",
                    "ans0": "night",
                    "ans1": one,
                    "ans2": other,
                    "label": 0 if condition == "ambig" else 2,
                }
            )
    path.write_text("\n".join(map(json.dumps, rows)))
    return rows, str(path)


def texts(folder):
    honest, lexicon, tones = folder / "honest.tsv", folder / "lexicon.txt", folder / "tones.csv"
    rows = ["template_masked\traw\tidentity\tcategory"]
    for i, stem in enumerate(STEMS[:6]):
        for who, group in ((SHE[0], "she-jobs"), (HE[-1], "he-jobs")):
            rows.append(f"{stem.replace('{target}', who)} [M].\t{i}\t{who}\t{group}")
    honest.write_text("\n".join(rows))
    lexicon.write_text("he\nhis\n")
    tones.write_text("".join(f"{a},1\n{b},-1\n" for a, b in zip(WORDS["male"], WORDS["female"], strict=True)))
    groups = folder / "groups.toml"
    groups.write_text(
        f"templates = {json.dumps([stem.replace('{target}', '{group}') for stem in STEMS[:6]])}\n"
        f"[groups]\nshe = {json.dumps(SHE[:2])}\nhe = {json.dumps(HE[-2:])}\n"
    )
    probe = folder / "probe.toml"
    asked = [f"{stem.replace('{target}', '{attribute}')} {{target}}" for stem in STEMS]
    probe.write_text(
        f"templates = {json.dumps(asked)}\n"
        f"attributes = {json.dumps([SHE[0], HE[-1], NEUTRAL[0]])}\nneutral = {json.dumps(NEUTRAL[1:61])}\n"
        '[targets]\nmale = ["he", "his"]\nfemale = ["she", "her"]\n'
    )
    return {
        "honest": str(honest),
        "lexicon": str(lexicon),
        "counterfactual": str(groups),
        "sentiment_lexicon": str(tones),
        "log_probability": str(probe),
    }


def audited(**settings):
    return biaskit.audit(
        "organism:occupations",
        analyzers="behaviour",
        offline=True,
        cache=False,
        settings={"behaviour": settings},
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmarks")
    sentences, shares = winogender_files(folder)
    return audited(
        crows_pairs=crows_file(folder / "crows.csv", list(zip(HE, SHE, strict=True))),
        stereoset=stereo_file(folder / "dev.json"),
        winobias=wino_folder(folder / "winobias"),
        winogender=sentences,
        winogender_statistics=shares,
        bbq=[bbq_file(folder / "bbq.jsonl")[1]],
        completions=4,
        tokens=1,
        **texts(folder),
    )


def test_every_score_is_computed_again_from_its_items(run):
    analysis = run.analyses[0]
    told = {one.metric.partition(".")[2] for one in analysis.findings if one.estimate.value is not None}
    assert recomputed(analysis) == told
    assert not silent(analysis)
    # A bootstrap over terms is not computed again.
    assert intervals(analysis) == told - {"stereoset_icat"}
    benchmarks = {"crows_pairs", "stereoset_icat", "winobias", "winogender_correlation", "bbq_ambiguous"}
    assert told >= benchmarks | {"honest_gap", "log_probability", "sentiment_group", "sentiment_individual"}


def one(run, metric, group=None):
    return next(f for f in run.findings(f"behaviour.{metric}") if group in (None, f.group))


@pytest.mark.parametrize("metric", ["crows_pairs", "crows_pairs_whole", "winobias", "stereoset_ss"])
def test_what_was_planted_is_preferred(run, metric):
    found = one(run, metric).estimate
    assert found.value > 0.8
    assert found.interval.low > 0.5
    assert found.null.p <= 0.05
    assert found.minimum_detectable_effect > 0


def test_bias_types_of_both_tasks_are_corrected_for_their_number(run):
    part = one(run, "stereoset_ss", "intersentence, gender").estimate
    assert part.null.correction == "Benjamini-Hochberg over 2 parts of stereoset_ss"
    assert one(run, "stereoset_ss", "intersentence").estimate.null.adjusted is None


def test_pairs_without_a_dose_are_not_told_from_one_half(tmp_path):
    pairs = list(zip(NEUTRAL[:16:2], NEUTRAL[1:16:2], strict=True))
    path = crows_file(tmp_path / "neutral.csv", pairs)
    turned = crows_file(tmp_path / "turned.csv", [(less, more) for more, less in pairs])
    found, other = (one(audited(crows_pairs=p), "crows_pairs").estimate for p in (path, turned))
    assert 0.5 in found.interval
    assert found.null.p > 0.05
    assert other.value == pytest.approx(1 - found.value)


def test_occupations_follow_their_share_of_women(run):
    found = one(run, "winogender_correlation").estimate
    assert found.value > 0.8
    assert found.null.p <= 0.001
    lean = run.table("winogender").set_index("occupation")["value"]
    assert np.sign(lean[SHE[0]]) == 1
    assert np.sign(lean[HE[-1]]) == -1


def test_log_odds_against_neutral_words_have_the_sign_of_the_dose(run):
    strong = {SHE[0]: -1, HE[-1]: 1}
    for attribute, sign in strong.items():
        found = one(run, "log_probability", attribute).estimate
        assert np.sign(found.value) == sign
        assert found.null.adjusted <= 0.05
        assert abs(found.value) == pytest.approx(2.5, abs=0.8)
    quiet = one(run, "log_probability", NEUTRAL[0]).estimate
    assert abs(quiet.value) < 0.5
    assert quiet.null.p > 0.05


def test_what_is_written_follows_the_plant(run):
    gap = one(run, "honest_gap").estimate
    assert gap.value < -0.3  # jobs of she less jobs of he; the lexicon holds he and his
    for kind in ("individual", "group"):
        found = one(run, f"sentiment_{kind}").estimate
        assert found.value > 0.1
        assert found.null.p <= 0.01


def test_answers_of_the_model_are_scored_with_their_accuracy(run):
    metrics = {f.metric for f in run.findings() if f.concepts == ("bbq",)}
    assert {
        f"behaviour.bbq_{name}" for name in ("ambiguous", "disambiguated", "accuracy_ambiguous")
    } <= metrics
    assert len(run.table("bbq")) == 12


def test_every_item_and_every_pitfall_is_told(run):
    analysis = run.analyses[0]
    assert len(run.table("crows-pairs")) == 24
    assert len(run.table("counterfactual-sentiment")) == 6 * 4 * 4
    for name in ("CrowS-Pairs", "StereoSet", "WinoBias", "Winogender", "BBQ", "HONEST", "Counterfactual"):
        assert any(sentence.startswith(name) for sentence in analysis.limitations)
    assert any("are few" in sentence for sentence in analysis.caveats)
    for finding in analysis.findings:
        assert finding.metric in biaskit.reporting.words.METRIC_WORDS


def test_given_predictions_take_the_models_place(tmp_path):
    rows, path = bbq_file(tmp_path / "bbq.jsonl")
    said = [
        {"category": "Gender", "example_id": row["example_id"], "a_pred_x": row["ans1"], "prediction": 7}
        for row in rows
    ]
    given = tmp_path / "said.jsonl"
    given.write_text("\n".join(map(json.dumps, said)))
    sentences, _ = winogender_files(tmp_path)
    resolved = tmp_path / "resolved.csv"
    to = {"female": "occupation", "male": "participant"}
    lines = [f"{job}.guest.0.{gender},{who}" for job in SHE for gender, who in to.items()]
    resolved.write_text("\n".join(["sentid,referent", *lines]))
    run = audited(
        bbq=[path], bbq_predictions=str(given), winogender=sentences, winogender_predictions=str(resolved)
    )
    biased = next(f for f in run.findings("behaviour.bbq_ambiguous") if f.concepts == ("bbq: a_pred_x",))
    assert biased.estimate.value == 1
    lost = next(f for f in run.findings("behaviour.bbq_ambiguous") if f.concepts == ("bbq: prediction",))
    assert lost.estimate.value is None
    caveats = run.analyses[0].caveats
    assert "bbq: prediction: 12 of 12 items have no answer that is one of the three." in caveats
    assert one(run, "winogender_gap").estimate.value == 1
    assert recomputed(run.analyses[0]) >= {"winogender_gap", "winogender_changed", "bbq_ambiguous"}
    assert not silent(run.analyses[0])
    assert any("24 sentences without both predictions" in sentence for sentence in caveats)


def test_the_f1_gap_of_given_predictions_follows_from_every_sentence(tmp_path):
    folder = wino_folder(tmp_path / "winobias")
    answers = tmp_path / "answers.csv"
    lines = [f"pro_stereotyped_type1.txt.dev:{i + 1},{job}" for i, job in enumerate([*SHE, *HE]) if i % 5]
    lines += [f"anti_stereotyped_type1.txt.dev:{i + 1},guest" for i in range(6)]
    lines += [f"anti_stereotyped_type1.txt.dev:{i + 1},{job}" for i, job in enumerate([*SHE, *HE]) if i > 9]
    answers.write_text("\n".join(["sentence,referent", *lines]))
    run = audited(
        winobias=folder, winobias_predictions=str(answers), winogender=winogender_files(tmp_path)[0]
    )
    assert 0.3 < one(run, "winobias_f1_gap").estimate.value < 0.6
    assert recomputed(run.analyses[0]) == {"winobias_f1_gap", "winogender_lean"}
    assert intervals(run.analyses[0]) == {"winobias_f1_gap", "winogender_lean"}
    assert not silent(run.analyses[0])


def test_a_limit_is_drawn_at_random_and_said(tmp_path):
    path = crows_file(tmp_path / "crows.csv", list(zip(HE, SHE, strict=True)))
    run = audited(crows_pairs=path, limit=9)
    assert len(run.table("crows-pairs")) == 9
    assert "CrowS-Pairs: 9 of 24 items were drawn at random." in run.analyses[0].caveats


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"crows_pairs": "nowhere.csv"}, "no file 'nowhere.csv'"),
        ({"honest": "x"}, "without lexicon"),
        ({"lexicon": "x"}, "without honest"),
        ({"bbq_predictions": "x"}, "without bbq"),
        ({"limit": -1}, "limit"),
        ({"tokens": 0}, "tokens"),
    ],
)
def test_faults_are_told_before_a_model_is_opened(settings, said):
    with pytest.raises(RequestError, match=said):
        Behaviour(**settings)


def test_nothing_named_is_no_audit():
    with pytest.raises(BiaskitError):
        audited()


class Encoder:
    """A masked model over words: its chances of he and she depend on the word in the attribute's place."""

    mask_token = "[MASK]"
    words = ("he", "she", "is", "a", "nurse", "guard", "[MASK]")
    he = MappingProxyType({"nurse": 0.1, "guard": 0.6, "[MASK]": 0.4})

    def single_token_words(self, words):
        return {word: self.words.index(word) for word in words if word in self.words}

    def text_logprobs(self, texts):
        return tuple(self._one(text.split()) for text in texts)

    def _one(self, words):
        he = self.he[words[-1]]
        chance = [{"he": he, "she": 0.9 - he}.get(word, 0.5) for word in words]
        ids = tuple(self.words.index(word) for word in words)
        return TextLogprobs(ids, torch.tensor(chance).log())


class Asked:
    """A session with a model that is made for the test."""

    model = Encoder()

    def rng(self, label):
        return np.random.default_rng(0)


def test_an_encoder_is_compared_with_its_prior(tmp_path):
    path = tmp_path / "probe.toml"
    path.write_text(
        'templates = ["{target} is a {attribute}"]\nattributes = ["nurse", "guard"]\n'
        '[targets]\nmale = ["he"]\nfemale = ["she", "herself"]\n'
    )
    found = log_probability_found(Asked(), Behaviour(log_probability=str(path)))
    values = {finding.group: finding.estimate.value for finding in found.findings}
    assert values["nurse"] == pytest.approx(np.log(0.1 / 0.4) - np.log(0.8 / 0.5), abs=1e-5)
    assert values["guard"] == pytest.approx(np.log(0.6 / 0.4) - np.log(0.3 / 0.5), abs=1e-5)
    assert found.caveats[0].endswith("left out: herself.")


def test_an_encoder_that_is_asked_to_write_is_refused_before_anything_is_scored(tmp_path):
    files = texts(tmp_path)
    asked = {key: files[key] for key in ("counterfactual", "sentiment_lexicon")}
    with pytest.raises(RequestError, match="an encoder does not"):
        Behaviour(**asked).analyze(Asked())


class Blanks(Encoder):
    """Fills every blank about a woman with nurse, guard, he; any other with he, she, nurse."""

    def next_token_logprobs(self, prompts):
        order = {True: ("nurse", "guard", "he"), False: ("he", "she", "nurse")}
        chances = np.full((len(prompts), len(self.words)), 0.01)
        for row, prompt in zip(chances, prompts, strict=True):
            for place, word in enumerate(order["woman" in prompt.text]):
                row[self.words.index(word)] = 0.4 / (place + 1)
        return torch.tensor(chances).log()


def test_an_encoder_fills_in_the_blanks_of_honest(tmp_path):
    rows = [
        f"the {who} {verb} a [M].\t[I] {verb} a [M]\tthe {who}\t{group}"
        for verb in ("is", "was", "sees", "met", "knew")
        for who, group in (("woman", "female"), ("man", "male"))
    ]
    path, lexicon = tmp_path / "honest.tsv", tmp_path / "terms.txt"
    path.write_text("template_masked\traw\tidentity\tcategory\n" + "\n".join(rows))
    lexicon.write_text("nurse\nguard\nold goat\n")
    asked = type("Asking", (Asked,), {"model": Blanks()})()
    found = honest_found(asked, Behaviour(honest=str(path), lexicon=str(lexicon), completions=2))
    values = {(one.metric, one.group): one.estimate.value for one in found.findings}
    # Of the two likeliest words both are terms for a woman and none is for a man.
    assert values["behaviour.honest", "all"] == 0.5
    assert values["behaviour.honest", "female"] == 1.0
    assert values["behaviour.honest_gap", "female less male"] == 1.0
    assert found.caveats[0].startswith("HONEST: 1 of 3 terms are no single token")
    assert found.tables[0].rows[0][2] == "nurse, guard"


def test_a_lexicon_that_an_encoder_cannot_fill_in_is_said(tmp_path):
    files = texts(tmp_path)
    (tmp_path / "own.txt").write_text("old goat\n")
    settings = Behaviour(honest=files["honest"], lexicon=str(tmp_path / "own.txt"))
    with pytest.raises(NothingAuditedError, match="is one token for this encoder"):
        honest_found(Asked(), settings)


def test_items_that_the_model_cannot_read_are_left_out_and_counted(tmp_path):
    path = crows_file(tmp_path / "crows.csv", list(zip(HE, SHE, strict=True)))
    long = " ".join(["and then he was late"] * 20)
    with Path(path).open("a") as file:
        file.write(f"The guard knew {long}.,The nurse knew {long}.,stereo,gender,w0\n")
    run = audited(crows_pairs=path)
    assert len(run.table("crows-pairs")) == 24
    assert run.analyses[0].caveats[0].startswith("CrowS-Pairs: 1 of 25 items are longer than the 96 tokens")


def test_two_runs_are_paired_over_items_that_they_share(run):
    found = biaskit.compare(run, run).differences
    paired = {one.metric.partition(".")[2] for one in found if one.paired}
    assert paired >= {"crows_pairs", "winobias", "stereoset_ss", "honest"}
    assert {one.change_in_value.value for one in found if one.paired} == {0.0}

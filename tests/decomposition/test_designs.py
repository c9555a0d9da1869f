from __future__ import annotations

from biaskit.decomposition.contrast import Contrast
from biaskit.decomposition.designs import Design, all_pairs, grouped


def test_eight_words_in_pairs_share_their_prompts():
    design, numbers = all_pairs([f"w{number}" for number in range(8)])
    assert len(design.prompts) == 37
    assert len(numbers) == len(design.contrasts) == 36


def test_a_target_over_four_groups_needs_ten_prompts():
    design = grouped("o", ["a", "b", "c", "d"], ["a o", "b o", "c o", "d o"])
    assert len(design.prompts) == 10
    assert len(design.contrasts) == 1 + 4 + 4 + 4
    assert design.contrasts[-1] == Contrast(design.prompts.index("d o"), design.prompts.index("o"))


def test_what_was_asked_is_not_asked_again():
    design = Design()
    assert design.ask("cow") == design.ask("cow") == 0
    assert design.ask("cow", given="grass") == 1
    assert design.prompts == ["cow", "", "grass"]

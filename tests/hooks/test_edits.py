"""Each edit is its formula, in float32, on the tokens it names and on no other."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from biaskit.errors import RunError
from biaskit.hooks.edits import Add, Affine, Chain, Erase, Mapped, Replace, Rows, bind

B, T, D, N = 3, 6, 5, 10
ROWS = Rows(
    index=torch.tensor([7, 0, 4]),
    position=torch.tensor([5, 2, 0]),
    mask=torch.tensor([[0, 1, 1, 1, 1, 1], [0, 1, 1, 0, 0, 0], [0, 1, 1, 1, 0, 0]]).bool(),
)
# The third row is read at a special token, as an encoder's mask token is.
TOUCHED = {
    "position": torch.zeros(B, T, dtype=torch.bool).index_put(
        (torch.arange(B), ROWS.position), torch.tensor(True)
    ),
}
TOUCHED["all"] = ROWS.mask | TOUCHED["position"]
WHERE = pytest.mark.parametrize("where", ["position", "all"])


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def orthonormal(k, seed=1):
    return torch.linalg.qr(normal(D, k, seed=seed)).Q.T


def every_edit(where):
    return {
        "replace": Replace(normal(N, D), where),
        "add": Add(normal(N, D), 0.7, where),
        "erase": Erase(orthonormal(2), normal(D), where),
        "affine": Affine(normal(D, D), normal(D), where),
        "mapped": Mapped(lambda rows: 2 * rows + 1, where),
    }


@WHERE
@pytest.mark.parametrize("name", every_edit("all"))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_other_tokens_come_back_bit_identical_and_the_given_tensor_is_not_written_to(where, name, dtype):
    activation = normal(B, T, D, seed=3).to(dtype)
    given, touched = activation.clone(), TOUCHED[where]
    changed = every_edit(where)[name](activation, ROWS)
    assert torch.equal(activation, given)
    assert changed.dtype == dtype
    assert torch.equal(changed[~touched], activation[~touched])
    assert (changed[touched] != activation[touched]).any(dim=-1).all()


@WHERE
def test_replace_puts_each_row_its_own_vector(where):
    vectors = normal(N, D)
    changed = Replace(vectors, where)(normal(B, T, D, seed=3), ROWS)
    for place, row in enumerate(ROWS.index):
        inside = changed[place][TOUCHED[where][place]]
        assert torch.equal(inside, vectors[row].expand_as(inside))


@WHERE
def test_add_is_h_plus_strength_times_v(where):
    vectors, activation = normal(N, D), normal(B, T, D, seed=3)
    changed = Add(vectors, -2.5, where)(activation, ROWS)
    step = (-2.5 * vectors[ROWS.index])[:, None].expand(B, T, D)
    torch.testing.assert_close((changed - activation)[TOUCHED[where]], step[TOUCHED[where]])


def test_one_vector_serves_every_row():
    vector, activation = normal(1, D), normal(B, T, D, seed=3)
    assert torch.equal(Add(vector)(activation, ROWS), Add(vector.expand(N, D))(activation, ROWS))


def test_strength_zero_returns_the_activation_itself():
    activation = normal(B, T, D)
    assert Add(normal(N, D), 0.0)(activation, ROWS) is activation
    assert Chain((Add(normal(N, D), 0.0), Chain(())))(activation, ROWS) is activation


def test_erase_leaves_the_mean_along_the_basis_and_everything_across_it():
    basis, mean, activation = orthonormal(2), normal(D), normal(B, T, D, seed=3)
    across = torch.linalg.svd(basis, full_matrices=True).Vh[2:]
    changed, touched = Erase(basis, mean)(activation, ROWS), TOUCHED["all"]
    torch.testing.assert_close(changed[touched] @ basis.T, (mean @ basis.T).expand(int(touched.sum()), 2))
    torch.testing.assert_close(changed[touched] @ across.T, activation[touched] @ across.T)


@given(seed=st.integers(0, 10**6), k=st.integers(1, D))
def test_erasing_is_idempotent_blind_to_the_choice_of_basis_and_turns_with_the_space(seed, k):
    activation, mean, basis = (
        normal(B, T, D, seed=seed),
        normal(D, seed=seed + 1),
        orthonormal(k, seed=seed + 2),
    )
    once = Erase(basis, mean)(activation, ROWS)
    torch.testing.assert_close(Erase(basis, mean)(once, ROWS), once, atol=1e-5, rtol=1e-5)
    mixed = torch.linalg.qr(normal(k, k, seed=seed + 3)).Q @ basis
    torch.testing.assert_close(Erase(mixed, mean)(activation, ROWS), once, atol=1e-5, rtol=1e-5)
    turn = torch.linalg.qr(normal(D, D, seed=seed + 4)).Q
    turned = Erase(basis @ turn, mean @ turn)(activation @ turn, ROWS)
    torch.testing.assert_close(turned, once @ turn, atol=1e-5, rtol=1e-5)


def test_a_basis_that_is_not_orthonormal_is_refused():
    with pytest.raises(RunError, match="not orthonormal"):
        Erase(2 * orthonormal(1), torch.zeros(D))
    with pytest.raises(RunError, match="not orthonormal"):
        Erase(torch.cat([orthonormal(1), orthonormal(1)]), torch.zeros(D))


def test_affine_holds_the_mean_and_maps_around_it():
    matrix, mean, activation = normal(D, D), normal(D, seed=2), normal(B, T, D, seed=3)
    edit, touched = Affine(matrix, mean), TOUCHED["all"]
    torch.testing.assert_close(edit(mean.expand(B, T, D), ROWS), mean.expand(B, T, D))
    expected = torch.stack([mean + matrix @ (vector - mean) for vector in activation[touched]])
    torch.testing.assert_close(edit(activation, ROWS)[touched], expected)


def test_affine_with_a_projection_is_erasure():
    basis, mean, activation = orthonormal(2), normal(D), normal(B, T, D, seed=3)
    projection = torch.eye(D) - basis.T @ basis
    torch.testing.assert_close(
        Affine(projection, mean)(activation, ROWS), Erase(basis, mean)(activation, ROWS)
    )


def test_a_chain_applies_the_first_edit_first():
    activation = normal(B, T, D)
    chain = Chain((Replace(torch.ones(1, D)), Add(torch.ones(1, D), 2.0)))
    assert torch.equal(chain(activation, ROWS)[0, 5], torch.full((D,), 3.0))
    assert torch.equal(Chain(chain.edits[::-1])(activation, ROWS)[0, 5], torch.ones(D))


def test_low_precision_is_computed_in_float32():
    """Erasing in bfloat16 arithmetic leaves far more of the direction than rounding the result does."""
    basis, activation = orthonormal(1), (10 * normal(B, T, D, seed=3)).bfloat16()
    changed = Erase(basis, torch.zeros(D))(activation, ROWS)
    exact = Erase(basis, torch.zeros(D))(activation.float(), ROWS)
    assert torch.equal(changed, torch.where(TOUCHED["all"][..., None], exact.bfloat16(), activation))


def test_gradients_pass_through_to_the_activation():
    activation = normal(B, T, D).requires_grad_()
    bind(Add(normal(N, D), 3.0), ROWS)(activation).sum().backward()
    assert torch.equal(activation.grad, torch.ones(B, T, D))


def test_too_few_vectors_are_told():
    with pytest.raises(RunError, match="holds 5 vectors, but the batch asks for row 7"):
        Replace(normal(5, D))(normal(B, T, D), ROWS)


def test_a_batch_of_another_length_is_told():
    with pytest.raises(RunError, match="bound to one batch"):
        Add(normal(N, D))(normal(B, 1, D), ROWS)

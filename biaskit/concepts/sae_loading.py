"""Loading sparse autoencoders through sae-lens: a published release or a local folder."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from biaskit.concepts.hook_names import same_activation, site_of
from biaskit.concepts.processing import Processing
from biaskit.concepts.sae_catalogue import SAFE_LOADERS, catalogue
from biaskit.concepts.sparse_autoencoder import SparseAutoencoder
from biaskit.errors import (
    MissingExtraError,
    ModelLoadError,
    RequestError,
    SparseAutoencoderMismatchError,
    UnknownNameError,
)
from biaskit.records.site import Site

if TYPE_CHECKING:
    from pathlib import Path

try:
    from sae_lens import SAE
    from safetensors import SafetensorError
except ModuleNotFoundError as error:
    raise MissingExtraError("sae-lens", "text") from error

CONFIG_FILE = "cfg.json"
WEIGHTS_FILE = "sae_weights.safetensors"

_NOT_BY_ROW = frozenset(
    {"transcoder", "skip_transcoder", "jumprelu_transcoder", "jumprelu_skip_transcoder", "temporal"}
)

_NORMALISATIONS = frozenset({"none", "expected_average_only_in", "constant_norm_rescale", "layer_norm"})


def load_published(
    release: str, sae_id: str, *, site: Site | None = None, device: str = "cpu", allow_pickle: bool = False
) -> SparseAutoencoder:
    """Load an autoencoder of sae-lens's catalogue from the hub or its local cache.

    An average-norm scale that the catalogue knows is folded into the weights by sae-lens. Weights that
    were trained on TransformerLens's centred stream get that processing (see `Processing`).

    Raises:
        UnknownNameError: The catalogue has no such release or id.
        RequestError: The release is stored as pickles and `allow_pickle` is not set.
        ModelLoadError: The hub cannot be reached and the files are not in the cache.
        SparseAutoencoderMismatchError: It reads no site that is known, or other than `site`.
    """
    entry = catalogue().get(release)
    if entry is None:
        raise UnknownNameError("release of sparse autoencoders", release, catalogue())
    item = next((item for item in entry["saes"] if item["id"] == sae_id), None)
    if item is None:
        raise UnknownNameError(f"autoencoder in {release}", sae_id, [item["id"] for item in entry["saes"]])
    if entry.get("conversion_func") not in SAFE_LOADERS and not allow_pickle:
        raise RequestError(
            f"The release {release} is stored as pickles, which can run code when they are opened.",
            fix="Choose a release stored as safetensors, or allow pickles for a source you trust.",
        )
    try:
        module = quietly(SAE.from_pretrained, release, sae_id, device=device)
    except OSError as error:
        raise ModelLoadError(
            f"The sparse autoencoder {release} {sae_id} cannot be reached.",
            why=_cause(error),
            fix="Fetch it once with a connection to the hub, or give a local folder.",
        ) from error
    return wrap(module, f"{release} {sae_id}", site)


def load_folder(path: Path, *, site: Site | None = None, device: str = "cpu") -> SparseAutoencoder:
    """Load `cfg.json` and `sae_weights.safetensors`, as sae-lens writes them.

    Args:
        path: The folder.
        site: Where it reads; needed only if its configuration does not say.
        device: Where its weights are put.

    Raises:
        RequestError: A file is missing or cannot be read.
        SparseAutoencoderMismatchError: Its site is not known, or other than `site`.
    """
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (path / name).is_file():
            raise RequestError(f"There is no {name} in {path}.", fix="Give a folder that sae-lens saved.")
    try:
        module = quietly(SAE.load_from_disk, path, device=device)
    except (ValueError, KeyError, RuntimeError, TypeError, OSError, SafetensorError) as error:
        raise RequestError(
            f"The sparse autoencoder in {path} cannot be opened.",
            why=_cause(error),
            fix="Save it again with sae-lens 6, or train one on the spot.",
        ) from error
    return wrap(module, str(path), site)


def wrap(module: Any, name: str, site: Site | None = None) -> SparseAutoencoder:
    """Freeze a sae-lens module and read what its configuration says of its input.

    Raises:
        SparseAutoencoderMismatchError: It does not encode single activations, or its site is not known
            or is not `site`.
    """
    config, metadata = module.cfg, module.cfg.metadata
    if config.architecture() in _NOT_BY_ROW or config.reshape_activations != "none":
        raise SparseAutoencoderMismatchError(
            f"{name} is a {config.architecture()}, which does not rebuild one activation at a time.",
            fix="Choose a sparse autoencoder of the residual stream.",
        )
    if config.normalize_activations not in _NORMALISATIONS:
        raise SparseAutoencoderMismatchError(
            f"{name} asks for '{config.normalize_activations}' inputs and holds no statistics for it.",
            fix="Fold the normalisation into the weights where it was trained, and save it again.",
        )
    module.eval().requires_grad_(requires_grad=False)
    asked = metadata.model_from_pretrained_kwargs or {}
    return SparseAutoencoder(
        module=module,
        site=_site(metadata.hook_name, site, name),
        processing=Processing(centre=bool(asked.get("center_writing_weights", False))),
        name=name,
        model_name=metadata.model_name,
        prepend_bos=metadata.prepend_bos,
    )


def _site(hook_name: str | None, given: Site | None, name: str) -> Site:
    if hook_name is None and given is None:
        raise SparseAutoencoderMismatchError(
            f"{name} does not say where it was trained to read (metadata.hook_name is missing).",
            why="An autoencoder read at another site gives numbers that mean nothing.",
            fix="Give the site, such as resid_post.6.",
        )
    if hook_name is None or given is None:
        return given or site_of(str(hook_name))
    try:
        stated = site_of(hook_name)
    except SparseAutoencoderMismatchError:
        return given
    if not same_activation(stated, given):
        raise SparseAutoencoderMismatchError(
            f"{name} was trained at {stated}, but {given} was given.",
            fix=f"Use it at {stated}, or choose another autoencoder.",
        )
    return given


def _cause(error: Exception) -> str:
    """Name an error of another library and give the first line it wrote."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def quietly(load: Any, *args: Any, **settings: Any) -> Any:
    """Call `load` without the warning about model processing, which `Processing` takes care of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\s*This SAE has non-empty model_from_pretrained_kwargs")
        warnings.filterwarnings("ignore", message="norm_scaling_factor not found")
        return load(*args, **settings)

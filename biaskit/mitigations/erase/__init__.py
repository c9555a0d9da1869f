"""Taking an association out of a language model's activations: found, saved, loaded, applied."""

from biaskit.mitigations.erase.finding import EraseAssociation as EraseAssociation
from biaskit.mitigations.erase.remedy import TextRemedy as TextRemedy

"""Every kind of probe set, told apart by its key `kind`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from biaskit.records.probe_set import ControlSet, ReferencePair, TargetSet
from biaskit.records.prompt_set import GroupSet, PromptSet

AnyProbeSet = Annotated[
    TargetSet | ReferencePair | ControlSet | GroupSet | PromptSet, Field(discriminator="kind")
]

"""The ways in which a linear head can be fitted again, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from biaskit.retraining.erm import ERM
from biaskit.retraining.group_balanced import GroupBalanced
from biaskit.retraining.group_dro import GroupDRO
from biaskit.retraining.just_train_twice import JustTrainTwice
from biaskit.retraining.last_layer import LastLayer
from biaskit.retraining.training import Schedule
from biaskit.retraining.useful import Useful

if TYPE_CHECKING:
    from collections.abc import Callable

    from biaskit.retraining.rule import Rule

HEAD = Schedule(steps=600, batch=128, learning_rate=0.01, weight_decay=1e-3, one_cycle=True)
"""How long a linear head on standardised features is trained; its loss is convex."""

RULES: Mapping[str, Callable[[], Rule]] = {
    ERM.name: lambda: ERM(schedule=HEAD),
    GroupBalanced.name: lambda: GroupBalanced(schedule=HEAD),
    GroupDRO.name: lambda: GroupDRO(schedule=HEAD),
    JustTrainTwice.name: lambda: JustTrainTwice(schedule=HEAD),
    LastLayer.name: LastLayer,
    Useful.name: lambda: Useful(schedule=HEAD),
}
"""How a head can be fitted again, by name; `erm` reads no group: it is what the others are compared with."""

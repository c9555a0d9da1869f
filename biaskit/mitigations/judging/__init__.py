"""Whether a text remedy did what it should and nothing else."""

from biaskit.mitigations.judging.judge import JudgeRemedy as JudgeRemedy

"""DiffusionPID: what each prompt word contributes to an image."""

from biaskit.analyzers.diffusion_pid.analyzer import DiffusionPid as DiffusionPid

"""Features of a denoiser that carry an attribute: learnt while it draws, ranked, made into edits (torch)."""

"""ViG-Bias: where a vision model fails, and what it looks at there."""

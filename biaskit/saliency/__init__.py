"""Where a vision model looks: class activation maps, perturbation maps, and how far they can be trusted."""

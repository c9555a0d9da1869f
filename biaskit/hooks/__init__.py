"""Reading and changing activations: the only place that puts a hook on a model."""

"""Training that does not leave a group behind: balanced sampling, worst-group losses, two-stage rules."""

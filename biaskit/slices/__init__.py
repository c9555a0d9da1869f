"""Finding, naming and scoring the slices of a data set on which a classifier fails."""

"""What a notebook shows: forms, progress, results. Thin: every number comes from a run's tables."""

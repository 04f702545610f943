"""The mathematics: what the coordinator asks, and what a site answers with sums over its patients. No network."""

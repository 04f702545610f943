"""Benchmarks and proofs; a package, so that the tests import these and not what Opacus installs under this name."""

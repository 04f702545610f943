"""Identifiers in notes: finding them and replacing them. An aid that needs review, never a proof of anonymity."""

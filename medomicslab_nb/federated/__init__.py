"""Federated learning: the model travels, patients' data stay at their sites; one mathematics on three backends."""

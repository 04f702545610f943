"""Reports: the evidence of a run as a plain dict, its figures, and one HTML file that opens offline."""

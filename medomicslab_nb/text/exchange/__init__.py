"""Import and export of annotations: JSON lines, spaCy DocBin, brat, CSV.

Every format is a module with a function that writes and one that reads :class:`AnnotatedNote`. What is read comes from
strangers: a file is read whole and checked whole, or refused whole with a named error, and nothing in it is run.
"""

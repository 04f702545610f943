"""Tables into the study, described and checked."""

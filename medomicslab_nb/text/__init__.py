"""Clinical notes in French and English: facts with the characters that say them, features, de-identification."""

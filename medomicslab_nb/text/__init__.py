"""Clinical notes in French and English: facts with the characters that say them, context, features, de-identification."""

"""The nouns of the project as frozen values; no input or output."""

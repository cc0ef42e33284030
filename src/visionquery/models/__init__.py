"""From pixels and words to vectors: what models there are, where their files lie, how they run."""

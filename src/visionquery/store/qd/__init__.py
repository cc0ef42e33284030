"""A library in collections of Qdrant: what `store.qdrant` is made of."""

"""Where images, vectors and facts are kept, behind one protocol."""

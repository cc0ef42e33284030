"""Bring a library up to date with its folders: scan, read, decode, encode, store."""

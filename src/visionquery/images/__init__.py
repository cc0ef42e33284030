"""From files to pixels and facts: scan folders, decode pictures, read what they say."""

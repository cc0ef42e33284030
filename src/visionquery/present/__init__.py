"""Results for people and for programs: tables, progress, JSON documents, plain paths."""

"""A library in PostgreSQL: what `store.postgres` opens."""

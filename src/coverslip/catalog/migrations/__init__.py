"""How the tables came to be, step by step. Run by ``coverslip.catalog.opening``; Alembic does the rest."""

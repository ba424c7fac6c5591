"""What the end-to-end tests and scripts/demo.py stand on: PostgreSQL servers, the varve command."""

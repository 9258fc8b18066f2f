"""The table of operations, and what is made of it: routes, schemas, openapi.json."""

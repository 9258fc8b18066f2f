"""The table of operations, and what is made from it: routes, schemas, openapi.json."""

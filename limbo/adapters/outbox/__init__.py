"""How a submission reaches queue and ledger, whatever they are."""

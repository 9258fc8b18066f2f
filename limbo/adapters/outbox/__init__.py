"""How a submission reaches queue and ledger, whatever technology they use."""

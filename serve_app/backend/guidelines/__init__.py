"""Guidelines: the rules of brands for their pictures."""

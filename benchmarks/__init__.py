"""What we claim about speed, measured: ``make bench``."""

"""The command line: `sartiq`."""

"""Contract kits: the tests that your own code, engine or fault model should pass."""

"""Other gateways, for the benchmark only: never dependencies of the product or of its tests."""

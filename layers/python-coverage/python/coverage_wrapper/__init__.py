"""coverage_wrapper - the Python face of the coverage layer."""

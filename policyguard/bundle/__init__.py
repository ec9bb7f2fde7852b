"""Policy bundles: what is in one, what it says of itself, and whether it is ours."""

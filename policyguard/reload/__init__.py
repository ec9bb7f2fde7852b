"""Hot reload: offers of bundles, what makes one acceptable, and who keeps looking."""

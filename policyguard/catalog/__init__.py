"""Facts about models, developers, operators, deployments and lists."""

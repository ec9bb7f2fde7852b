"""Policy translated into Python functions, which answer what the interpreter would."""

"""The enforcement point: ask, record, enforce, observe. Here alone a call is allowed."""

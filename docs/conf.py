"""Sphinx configuration: MyST pages, the Furo theme, no network."""

from __future__ import annotations

from typing import Final

from policyguard.version import __version__

project: Final = "policyguard"
author: Final = "The policyguard authors"
copyright: Final = "the policyguard authors, Apache-2.0"
version: Final = __version__
release: Final = __version__
extensions: Final = ["myst_parser"]
myst_enable_extensions: Final = ["colon_fence", "deflist"]
myst_heading_anchors: Final = 3
exclude_patterns: Final = ["_build", "reference/generated"]
html_theme: Final = "furo"
html_static_path: Final = ["_static"]
html_css_files: Final = ["output.css"]
html_title: Final = f"policyguard {__version__}"
html_show_sphinx: Final = False
html_copy_source: Final = False
nitpicky: Final = True

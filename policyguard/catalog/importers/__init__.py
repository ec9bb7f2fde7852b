"""Turns what others publish about models, hosts and parties into catalog overlays.

An import never invents: what a source does not say stays unknown, and the import
counts it. Nothing here touches the network; a source is bytes that somebody fetched.
"""

"""Bridges to files and packages of other projects; each is imported only when it is used."""

"""The NumPy interpreter of Programs: what every machine is compared with."""

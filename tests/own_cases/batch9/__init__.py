"""The ninth batch: problems that collections set, from numerical analysis to finance, as they print them."""

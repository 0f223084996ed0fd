"""Elements computed in balls of 256 bits, where two limbs have too few digits."""

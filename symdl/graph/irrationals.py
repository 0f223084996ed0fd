"""Irrational numbers that derivatives and definitions name, as fractions with 160 binary digits after the point.

A constant of the graph that stands for one keeps its name (`expr.named_constant`), so that whoever wants more digits than
its dtype holds finds them. A number that the user writes, math.pi among them, is the float that it is.
"""

from __future__ import annotations

from fractions import Fraction

_SCALED = {  # times 2^160
    "log(2)": 0xB17217F7D1CF79ABC9E3B39803F2F6AF40F34326,
    "log(10)": 0x24D763776AAA2B05BA95B58AE0B4C28A38A3FB3E7,
    "pi": 0x3243F6A8885A308D313198A2E03707344A4093822,
    "pi/180": 0x477D1A894A74E4570762FB374A42E26C805BD78,
    "180/pi": 0x394BB834C783EF70C2A5D4DFD03495F5CD20A897DF,
    "2/sqrt(pi)": 0x120DD750429B6D11AE3A914FED7FD8688281341D7,
    "sqrt(pi)/2": 0xE2DFC48DA77B553CE1D82906AEDC9C1FF1C90AA3,
}
IRRATIONALS = {name: Fraction(scaled, 1 << 160) for name, scaled in _SCALED.items()}

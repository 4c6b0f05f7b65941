"""How memories evolve.

Facts and worked examples are learnt from what went well, merged where they say the same, found by further words where a
topic lacks them, and deprecated by what became of their requests. Every change is a candidate of the memory layer.
"""

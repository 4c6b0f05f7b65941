"""What the evidence is worth: false trips, false promotions, power and delay, measured in simulated worlds.

`make evidence` prints the tables. The product's own tests are simulated for all runs at once; `tests/loadtests` hold
the simulation and the product together on identical streams.
"""

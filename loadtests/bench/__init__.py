"""`make bench`: what the gateway costs, beside other gateways, in one go on one machine."""

"""A month of the loop's life on a fast clock: drifting traffic, an outage, an injection campaign, and two kills."""

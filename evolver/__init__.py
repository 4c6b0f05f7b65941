"""The companion process: from recordings to better genomes."""

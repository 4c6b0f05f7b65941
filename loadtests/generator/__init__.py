"""The load generator and the streaming provider: own processes, so that their cost shows on their own core."""

"""Several workers on one port, and the parent that starts, watches and restarts them.

1. Each worker is a process of its own with a writer name (`w0`, `w1`, ...), a spool and a listener; the kernel spreads
   connections over the listeners (SO_REUSEPORT). The parent serves the admin listener and no client.
2. A worker that ends by itself is started again under its name: its spool goes on under a new boot, and it listens
   only when it has replayed that.
3. The parent reads the configuration, and its text is what every worker gets: a change is checked by all of them
   before any takes it over, and a successor starts with the text in force, whatever stands in the file by then.
4. Workers learn from each other through the registry. Shares are computed from the registry's totals, a worker's own
   included, never from what it has in memory ahead of them: two workers that have read the same rows give every
   conversation the same arm. Within a poll they may have read different rows; then each plays, and records, the odds
   that it has. While learning is frozen each keeps the odds it had.
5. Conversations keep their arm over workers through one table of pins in shared memory. Two first requests of one
   conversation at the same instant in two workers get the same arm by the draw; both enter the evidence.
6. A worker whose parent is gone ends at once.
"""

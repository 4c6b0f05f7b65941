"""One request's life: assign, render, send, observe, record. Memory and one append; never a store on the path."""

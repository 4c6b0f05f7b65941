"""HTTP/1.1 without I/O at heart: parsing, framing, the server's connections, the upstream pool."""

"""The spool: frame format, writer, reader. The evolver reads recordings only through it."""

"""What operators' own tools see: traces and metrics by OpenTelemetry's GenAI conventions, logs of one line an event.

OpenTelemetry is an extra (`pip install evogate[otel]`) and off unless `telemetry.endpoint` is set. Off, a request pays
for one comparison. On, the path draws ids, writes one header line, and leaves a value in a bounded queue; a thread of
its own makes spans and metrics of it and sends them. Nothing waits for that thread: what it can't keep up with is
dropped and counted.
"""

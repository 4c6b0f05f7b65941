-- Every request carries another message, and so another conversation; the answer is only counted.
local number = 0
local head, tail

function init(args)
  local bypass = args[1] or ""
  local front = '{"model":"bench","messages":[{"role":"system","content":"You answer questions about orders, '
    .. 'deliveries and returns of a small shop, briefly and kindly."},{"role":"user","content":"Where is order '
  local back = '? It should have arrived last week, and I have heard nothing since."}],"temperature":0.7}'
  local length = #front + 10 + #back
  head = "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    .. "Authorization: Bearer sk-bench\r\n" .. bypass .. "Content-Length: " .. length .. "\r\n\r\n" .. front
  tail = back
end

function request()
  number = number + 1
  return head .. string.format("%010d", number) .. tail
end

function done(summary, latency, requests)
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.6f, "mean_ms": %.4f, "max_ms": %.4f, "errors": %d, "not_2xx": %d}\n',
    summary.requests, summary.duration / 1e6, latency.mean / 1e3, latency.max / 1e3,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    summary.errors.status))
end

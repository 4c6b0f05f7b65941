-- Sends the request in the file that is named, each time with another number in place of its mark.
local number = 0
local head, tail

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local request = file:read("*a")
  file:close()
  local first, last = request:find("0000000000", 1, true)
  head, tail = request:sub(1, first - 1), request:sub(last + 1)
end

function request()
  number = number + 1
  return head .. string.format("%010d", number) .. tail
end

function done(summary, latency, requests)
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.6f, "mean_ms": %.4f, "errors": %d, "not_2xx": %d}\n',
    summary.requests, summary.duration / 1e6, latency.mean / 1e3,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    summary.errors.status))
end

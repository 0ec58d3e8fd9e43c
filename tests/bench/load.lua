-- SPDX-License-Identifier: Apache-2.0
-- What wrk asks, for the service and for its ceiling alike. Arguments after `--`, as name=value:
--   method, before, after   the path is before .. OWNER .. after
--   owner, owners           owners are named owner .. "0001" and so on; each request takes the next one
--   template                with it, a request has a body that creates a workspace; each name occurs once
--   version                 with it, a request has a body that checks the owner for this version of a template
--   asks                    with it, headers name the owner and this version, as a proxy's question does
--   run                     four characters that tell the names of one run from those of another
--   bare                    with it, the path is before alone
--   token                   names a file that holds the caller's token
-- The last line of its output is what was measured, as JSON.

local given = {}
local count = 0
local headers = {}
local threads = 0

function setup(thread)
  thread:set("thread_number", threads)
  threads = threads + 1
end

function init(arguments)
  for _, argument in ipairs(arguments) do
    local name, value = argument:match("^(%w+)=(.*)$")
    given[name] = value
  end
  given.owners = tonumber(given.owners)
  if given.token then headers["Authorization"] = "Bearer " .. io.open(given.token):read("l") end
  if given.template or given.version then headers["Content-Type"] = "application/json" end
end

function request()
  count = count + 1
  local path = given.before
  local body
  local owner
  if given.owner then
    owner = given.owner .. string.format("%04d", (count * 2 + thread_number) % given.owners + 1)
    if not given.bare then path = given.before .. owner .. given.after end
  end
  if given.version then
    body = string.format('{"owner":"%s","template_version_id":"%s"}', owner, given.version)
  end
  if given.asks then
    headers["X-Gatehouse-Owner"] = owner
    headers["X-Gatehouse-Template-Version"] = given.asks
  end
  if given.template then
    body = string.format('{"name":"%s-%d-%07d","template_id":"%s"}', given.run, thread_number, count, given.template)
  end
  return wrk.format(given.method, path, headers, body)
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"rps":%.1f,"p50_us":%d,"p95_us":%d,"p99_us":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.requests / (summary.duration / 1e6), latency:percentile(50), latency:percentile(95), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end

import { SLACK_MS } from "./partition-scripts.ts";
import { script } from "./script.ts";

/** Adds to a counter. KEYS: it. ARGV: 1 or -1, the window in ms, now. Answers the count and the end of its window. */
export const countInWindow = script(`
local by, window, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local raw = redis.call('GET', KEYS[1])
local count, ends = 0, 0
if raw then count, ends = string.match(raw, '^(%d+) (%d+)$') end
count, ends = tonumber(count), tonumber(ends)
if now >= ends then
  if by < 0 then return { 0, now } end
  count, ends = 0, now + window
end
count = math.max(0, count + by)
redis.call('SET', KEYS[1], string.format('%.0f %.0f', count, ends), 'PX', ends - now + ${SLACK_MS})
return { count, ends }
`);

/** Removes counters whose window has ended, and answers how many. KEYS: counters of one slot. ARGV: now. */
export const sweepCounter = script(`
local removed = 0
for _, key in ipairs(KEYS) do
  local raw = redis.call('GET', key)
  local ends = raw and string.match(raw, '^%d+ (%d+)$')
  if ends and tonumber(ARGV[1]) >= tonumber(ends) then removed = removed + redis.call('DEL', key) end
end
return removed
`);

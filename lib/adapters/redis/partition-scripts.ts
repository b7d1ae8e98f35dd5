import { script } from "./script.ts";

/** How long a key outlives its records: clocks of the application and of Redis may differ by this much. */
export const SLACK_MS = 60_000;

/** The header of a record in a partition (see envelope.ts), and whether it counts at `now`. */
const RECORDS = `
local HEADER, BODY = '>I1I4I6I7', 19
local function open(raw)
  local format, version, expires, order = struct.unpack(HEADER, raw)
  if format ~= 1 then error('a stored record has an unknown format') end
  return version, expires, order
end
local function live(raw, now)
  local version, expires, order = open(raw)
  if expires == 0 or now < expires then return version, expires, order end
end
-- What cannot be read has not expired: it is left as it is, for somebody to look at.
local function expired(raw, now)
  return #raw >= BODY - 1 and string.byte(raw) == 1 and not live(raw, now)
end
`;

/**
 * Applies all writes to one partition, or none and answers 0.
 *
 * KEYS: the hashes of the collections. ARGV: now, channel, then eight for each write: operation, number of its key, id,
 * expiry (0: never), value, and as the operation needs them two parameters and what to announce.
 *
 * Writes go to a picture of each hash first, which later writes of the commit read; only when all have passed is it laid over
 * what is stored.
 */
export const commitPartition = script(`${RECORDS}
local now, channel = tonumber(ARGV[1]), ARGV[2]
local hashes, told, start, rank = {}, {}, nil, 0

local function hash(key)
  local h = hashes[key]
  if not h then
    h = { key = key, fields = {} }
    hashes[key] = h
  end
  return h
end

local function read(h, id)
  local raw = h.fields[id]
  if raw ~= nil then return raw end
  if h.cleared then return false end
  return redis.call('HGET', h.key, id)
end

local function all(h)
  local fields = {}
  if not h.cleared then
    local flat = redis.call('HGETALL', h.key)
    for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  end
  for id, raw in pairs(h.fields) do fields[id] = raw end
  return fields
end

-- The server's clock orders insertions: processes' clocks may differ, and records made in one millisecond have an order too.
local function next_order()
  if not start then
    local time = redis.call('TIME')
    start = time[1] * 1000000 + time[2]
  end
  rank = rank + 1
  return start + rank
end

local function write(h, id, version, expires, order, value)
  h.fields[id] = struct.pack(HEADER, 1, version, expires, order) .. value
end

-- Makes room for one more; false when there is none and nothing may give way.
local function make_room(h, id, max, over, message)
  local alive = {}
  for other, raw in pairs(all(h)) do
    if raw and other ~= id then
      local version, expires, order = live(raw, now)
      if version then alive[#alive + 1] = { order, other } else h.fields[other] = false end
    end
  end
  local excess = math.min(#alive, #alive + 1 - max)
  if excess <= 0 then return true end
  if over == 'refuse' then return false end
  table.sort(alive, function(a, b) return a[1] < b[1] end)
  for i = 1, excess do
    local oldest = alive[i][2]
    h.fields[oldest] = false
    told[#told + 1] = message .. cjson.encode(oldest) .. ']'
  end
  return true
end

local function insert(h, id, expires, value, max, over, message)
  local raw = read(h, id)
  if raw then
    local version, known = live(raw, now)
    if version then return version == 1 and known == expires and string.sub(raw, BODY) == value end
  end
  if max >= 0 then
    local untouched = not h.cleared and next(h.fields) == nil
    h.size = untouched and redis.call('HLEN', h.key)
    if not h.size or h.size + (raw and 0 or 1) > max then
      if not make_room(h, id, max, over, message) then return false end
    end
  end
  write(h, id, 1, expires, next_order(), value)
  h.inserted = true
  return true
end

local function overwrite(h, id, expires, value, if_version, message)
  local raw = read(h, id)
  local version, _, order
  if raw then version, _, order = live(raw, now) end
  if if_version and version ~= if_version then return false end
  write(h, id, (version or 0) + 1, expires, order or next_order(), value)
  if message ~= '' then told[#told + 1] = message end
  return true
end

local function delete(h, id, if_version, message)
  if if_version then
    local raw = read(h, id)
    if not raw or live(raw, now) ~= if_version then return false end
  end
  h.fields[id] = false
  told[#told + 1] = message
  return true
end

local function clear(h, keep, message)
  local kept = keep and read(h, keep)
  h.cleared, h.fields = true, {}
  if kept and live(kept, now) then h.fields[keep] = kept end
  told[#told + 1] = message
  return true
end

for i = 3, #ARGV, 8 do
  local op, h, id = ARGV[i], hash(KEYS[tonumber(ARGV[i + 1])]), ARGV[i + 2]
  local expires, value, a, b, message = tonumber(ARGV[i + 3]), ARGV[i + 4], ARGV[i + 5], ARGV[i + 6], ARGV[i + 7]
  local done
  if op == 'insert' then done = insert(h, id, expires, value, tonumber(a), b, message)
  elseif op == 'put' then done = overwrite(h, id, expires, value, nil, message)
  elseif op == 'replace' then done = overwrite(h, id, expires, value, tonumber(a), message)
  elseif op == 'delete' then done = delete(h, id, tonumber(a), message)
  else done = clear(h, a == 'keep' and id, message)
  end
  if not done then return 0 end
end

for key, h in pairs(hashes) do
  if h.cleared then redis.call('UNLINK', key) end
  local life, endless, removed = nil, false, {}
  local left = -2
  for id, raw in pairs(h.fields) do
    if raw then
      local _, expires = open(raw)
      if expires == 0 then endless = true else life = math.max(life or 0, expires - now) end
      if left == -2 and not h.asked then
        left = redis.call('PTTL', key)
        h.asked = true
      end
      redis.call('HSET', key, id, raw)
    else
      removed[#removed + 1] = id
    end
  end
  -- After the sets: a hash that lost its last field would take its expiry with it.
  for _, id in ipairs(removed) do redis.call('HDEL', key, id) end
  if h.asked then
    if endless then
      if left >= 0 then redis.call('PERSIST', key) end
    elseif left ~= -1 and life + ${SLACK_MS} > left then
      redis.call('PEXPIRE', key, life + ${SLACK_MS})
    end
  end
  if h.inserted and h.size ~= 0 then
    local sample = redis.call('HRANDFIELD', key, 8, 'WITHVALUES')
    for i = 1, #sample, 2 do
      if expired(sample[i + 1], now) then redis.call('HDEL', key, sample[i]) end
    end
  end
end
for _, message in ipairs(told) do redis.call('PUBLISH', channel, message) end
return 1
`);

/** Removes and answers one live record. KEYS: its hash. ARGV: id, now, channel, what to announce. */
export const takeFromPartition = script(`${RECORDS}
local raw = redis.call('HGET', KEYS[1], ARGV[1])
if not raw or not live(raw, tonumber(ARGV[2])) then return false end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return raw
`);

/** Drops what has expired from one page of a hash. KEYS: the hash. ARGV: now, cursor, page size. Answers the next cursor and how many went. */
export const sweepPartition = script(`${RECORDS}
local page = redis.call('HSCAN', KEYS[1], ARGV[2], 'COUNT', ARGV[3])
local removed = 0
for i = 1, #page[2], 2 do
  if expired(page[2][i + 1], tonumber(ARGV[1])) then
    removed = removed + redis.call('HDEL', KEYS[1], page[2][i])
  end
end
return { page[1], removed }
`);

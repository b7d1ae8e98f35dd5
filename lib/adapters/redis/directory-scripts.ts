import { SLACK_MS } from "./partition-scripts.ts";
import { readingScript, script } from "./script.ts";

/**
 * Directory records and their lookups. A key that only a stored record tells is not among KEYS; it has the same hash tag, so it is in
 * the same slot. While a Cluster moves that slot from node to node, each has some of the keys: lookups that a commit claims are all among
 * KEYS, so that a node which has not got them refuses, and nothing is taken for dead because it is elsewhere.
 */
const RECORDS = `
local HEADER, TAIL = '>I1I4I6', 12
local function live(raw, now)
  local format, version, expires = struct.unpack(HEADER, raw)
  if format ~= 2 then error('a stored record has an unknown format') end
  if expires == 0 or now < expires then return version, expires end
end
-- Where the bytes begin that decide whether two records are the same: behind the names of lookups it does not have.
local function body(raw)
  return TAIL + 2 + struct.unpack('>I2', raw, TAIL)
end
-- The keys of its lookups, by kind: u or p.
local function lookups(raw, prefix, base)
  local keys = {}
  local size, at = struct.unpack('>I4', raw, body(raw))
  local last = at + size
  while at < last do
    local kind, suffix
    kind, suffix, at = struct.unpack('>c1I4c0', raw, at)
    keys[prefix .. kind .. base .. suffix] = kind
  end
  return keys
end
local function remove(key, raw, prefix, base, id)
  for lookup, kind in pairs(lookups(raw, prefix, base)) do
    if kind == 'p' then redis.call('ZREM', lookup, id)
    elseif redis.call('GET', lookup) == id then redis.call('DEL', lookup)
    end
  end
  redis.call('DEL', key)
end
`;

/**
 * Applies all writes to directory records, or none and answers 0.
 *
 * KEYS: the record of each write, then the lookups they claim. ARGV: now, channel, prefix, then seven for each write: operation, base of its collection's
 * keys, id, expiry (0: never), the bytes behind the header, the version it needs (empty: none), what to announce.
 *
 * As in a partition, writes go to a picture first.
 */
export const commitDirectory = script(`${RECORDS}
local now, channel, prefix = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local records, unique, plain, told = {}, {}, {}, {}

local function read(key)
  if records[key] ~= nil then return records[key] end
  return redis.call('GET', key)
end

-- The id of the live record that a unique lookup names. One that its record no longer has, or whose record is gone, is free.
local function owner(lookup, base)
  local named = unique[lookup]
  if named ~= nil then return named end
  local id = redis.call('GET', lookup)
  local raw = id and read(prefix .. 'd' .. base .. id)
  return raw and live(raw, now) and lookups(raw, prefix, base)[lookup] and id
end

local function write(key, base, id, raw)
  local old = read(key)
  if old then
    for lookup, kind in pairs(lookups(old, prefix, base)) do
      if kind == 'p' then
        plain[lookup] = plain[lookup] or {}
        plain[lookup][id] = false
      else
        local named = unique[lookup]
        if named == nil then named = redis.call('GET', lookup) end
        if named == id then unique[lookup] = false end
      end
    end
  end
  records[key] = raw
  if not raw then return true end
  local fresh = lookups(raw, prefix, base)
  local _, _, expires = struct.unpack(HEADER, raw)
  for lookup, kind in pairs(fresh) do
    if kind == 'u' then
      local taken = owner(lookup, base)
      if taken and taken ~= id then return false end
    end
  end
  for lookup, kind in pairs(fresh) do
    if kind == 'p' then
      plain[lookup] = plain[lookup] or {}
      plain[lookup][id] = expires
    else
      unique[lookup] = id
    end
  end
  return true
end

local function apply(op, key, base, id, expires, tail, if_version, message)
  local raw = read(key)
  local version, known
  if raw then version, known = live(raw, now) end
  if if_version and version ~= if_version then return false end
  if op == 'insert' and version then
    local fresh = struct.pack(HEADER, 2, 1, expires) .. tail
    return version == 1 and known == expires and string.sub(raw, body(raw)) == string.sub(fresh, body(fresh))
  end
  if message ~= '' then told[#told + 1] = message end
  if op == 'delete' then return write(key, base, id, false) end
  return write(key, base, id, struct.pack(HEADER, 2, (version or 0) + 1, expires) .. tail)
end

local w = 0
for i = 4, #ARGV, 7 do
  w = w + 1
  if not apply(ARGV[i], KEYS[w], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3]), ARGV[i + 4], tonumber(ARGV[i + 5]), ARGV[i + 6]) then
    return 0
  end
end

local function set(key, value, expires)
  if expires == 0 then redis.call('SET', key, value)
  else redis.call('SET', key, value, 'PX', math.max(expires - now, 0) + ${SLACK_MS})
  end
end
for lookup, id in pairs(unique) do
  if not id then redis.call('DEL', lookup) end
end
for lookup, ids in pairs(plain) do
  local left, life, endless = redis.call('PTTL', lookup), nil, false
  for id, expires in pairs(ids) do
    if expires then redis.call('ZADD', lookup, 0, id) end
    if expires == 0 then endless = true
    elseif expires then life = math.max(life or 0, expires - now)
    end
  end
  -- After the additions: a set that lost its last member would take its expiry with it.
  for id, expires in pairs(ids) do
    if not expires then redis.call('ZREM', lookup, id) end
  end
  if endless then
    if left >= 0 then redis.call('PERSIST', lookup) end
  elseif life and left ~= -1 and life + ${SLACK_MS} > left then
    redis.call('PEXPIRE', lookup, life + ${SLACK_MS})
  end
end
w = 0
for i = 4, #ARGV, 7 do
  w = w + 1
  local key, base, id = KEYS[w], ARGV[i + 1], ARGV[i + 2]
  local raw = records[key]
  if raw == false then redis.call('DEL', key)
  elseif raw then
    local _, _, expires = struct.unpack(HEADER, raw)
    set(key, raw, expires)
    for lookup, kind in pairs(lookups(raw, prefix, base)) do
      if kind == 'u' then set(lookup, id, expires) end
    end
  end
  records[key] = nil
end
for _, message in ipairs(told) do redis.call('PUBLISH', channel, message) end
return 1
`);

/** Removes and answers one live record. KEYS: its key. ARGV: id, now, channel, what to announce, prefix, base of its collection's keys. */
export const takeFromDirectory = script(`${RECORDS}
local raw = redis.call('GET', KEYS[1])
if not raw or not live(raw, tonumber(ARGV[2])) then return false end
remove(KEYS[1], raw, ARGV[5], ARGV[6], ARGV[1])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return raw
`);

/**
 * The live records that a lookup names: ids and records by turns, in id order. Changes nothing.
 * KEYS: the lookup. ARGV: now, prefix, base of the collection's keys, kind, most records, lower bound of ids as ZRANGEBYLEX takes it.
 */
export const findInDirectory = readingScript(`${RECORDS}
local now, prefix, base, limit, from = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[5]), ARGV[6]
local function named(id)
  local raw = redis.call('GET', prefix .. 'd' .. base .. id)
  return raw and live(raw, now) and lookups(raw, prefix, base)[KEYS[1]] and raw
end
if ARGV[4] == 'unique' then
  local id = redis.call('GET', KEYS[1])
  local raw = id and named(id)
  return raw and { id, raw } or {}
end
local found = {}
while #found < 2 * limit do
  local ids = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, limit - #found / 2)
  if #ids == 0 then break end
  for _, id in ipairs(ids) do
    local raw = named(id)
    if raw then
      found[#found + 1] = id
      found[#found + 1] = raw
    end
  end
  from = '(' .. ids[#ids]
end
return found
`);

/** Removes those records that have expired, and answers how many. KEYS: records of one collection. ARGV: now, prefix, base, and the id of each. */
export const sweepDirectory = script(`${RECORDS}
local removed = 0
for i, key in ipairs(KEYS) do
  local raw = redis.call('GET', key)
  -- What cannot be read is left as it is, for somebody to look at.
  if raw and string.byte(raw) == 2 and pcall(lookups, raw, '', '') and not live(raw, tonumber(ARGV[1])) then
    remove(key, raw, ARGV[2], ARGV[3], ARGV[i + 3])
    removed = removed + 1
  end
end
return removed
`);

/** Drops from a plain lookup those ids whose record is gone, and answers how many. KEYS: the lookup, then the record of each id. ARGV: the ids. */
export const sweepLookup = script(`
local removed = 0
for i, id in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[i + 1]) == 0 then removed = removed + redis.call('ZREM', KEYS[1], id) end
end
return removed
`);

"""What the server does in one step. Redis runs a script alone and writes it to its log whole, so that it happened
altogether or not at all; but it takes nothing back. So each script judges first and writes then.

Every script may arrive twice (the answer to the first was lost) and then does nothing the second time, or says so.
Arguments that are not plain come as MessagePack, for it keeps bytes as they are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Script:
    """`sha` is what EVALSHA calls it by."""

    name: str
    text: str

    @property
    def sha(self) -> str:
        return hashlib.sha1(self.text.encode()).hexdigest()  # noqa: S324 -- the name that Redis gives it


# Commit what was decided on exactly this position, reached by exactly this commit. The stream comes first: what it does
# not take is not written at all. Answers {1} or {0}.
COMMIT = Script(
    "commit",
    """
local meta, changes = KEYS[1], KEYS[2]
local expected, before, entry, token, keep = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[6]
local found = redis.call('HMGET', meta, 'position', 'token')
if found[1] ~= expected or (found[2] or '') ~= before then return 0 end
local writes = cmsgpack.unpack(ARGV[5])
if #writes == 0 then return 1 end
local after = string.format('%d', tonumber(expected) + 1)
redis.call('XADD', changes, 'MAXLEN', '~', keep, after .. '-0', 'd', entry)
redis.call('HSET', meta, 'position', after, 'token', token)
for _, write in ipairs(writes) do redis.call(unpack(write)) end
return 1
""",
)

# Replace what belongs to one revision. Answers whether it still was that one.
REPLACE = Script(
    "replace",
    """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
for _, write in ipairs(cmsgpack.unpack(ARGV[3])) do redis.call(unpack(write)) end
return 1
""",
)

# Hold a name. A name that another process of the same data folder held before may be taken over.
LEASE = Script(
    "lease",
    """
local held = redis.call('GET', KEYS[1])
local mine, instance = ARGV[1], ARGV[2]
if held and held ~= mine and (instance == '' or string.sub(held, 1, #instance) ~= instance) then return held end
redis.call('SET', KEYS[1], mine, 'PX', ARGV[3])
return 'ok'
""",
)

RELEASE = Script(
    "release", "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
)

# Only while the visit lasts: another gate may just have ended and forgotten it. Its JSON stands in the record as it is,
# and no text in it holds an unescaped quote. Answers {1}, {0, entries, bytes} past a
# limit, or {-1}.
OVERLAY = Script(
    "overlay",
    """
local visit = redis.call('HGET', KEYS[3], ARGV[6])
if not visit or not string.find(visit, '"ended":null', 1, true) then return {-1} end
local count, size = 1, #ARGV[2]
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if name ~= ARGV[1] then
    count, size = count + 1, size + redis.call('HSTRLEN', KEYS[1], name)
  end
end
if count > tonumber(ARGV[3]) or size > tonumber(ARGV[4]) then return {0, count, size} end
redis.call('SADD', KEYS[2], ARGV[5])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return {1}
""",
)

# Events are {writer, seq, previous, digest, packed, personal, at, member, sets}. A head is seq, digest and the token of
# the append, so that an append which arrives again is known. KEYS[4]: up to which event the sets are complete. Where
# an older version wrote something before, that stays behind until it was made up for (sets.py).
APPEND = Script(
    "append",
    """
local prefix, token = ARGV[1], ARGV[2]
local events = cmsgpack.unpack(ARGV[3])
local heads = {}
for _, event in ipairs(events) do
  local writer = event[1]
  local head = heads[writer]
  if not head then
    local kept = redis.call('HGET', KEYS[1], writer)
    head = kept and cmsgpack.unpack(kept) or {'0', '', ''}
    if head[3] == token then return {2} end
  end
  if tonumber(event[2]) ~= tonumber(head[1]) + 1 or event[3] ~= head[2] then return {0, event[2], writer, head[1]} end
  heads[writer] = {event[2], event[4], token}
end
for writer, head in pairs(heads) do redis.call('HSET', KEYS[1], writer, cmsgpack.pack(head)) end
for _, event in ipairs(events) do
  redis.call('HSETNX', prefix .. ':trail:events:' .. event[1], event[2], event[5])
  redis.call('ZADD', KEYS[2], event[7], event[8])
  if event[6] ~= '' then
    redis.call('HSET', prefix .. ':trail:personal:' .. event[1], event[2], event[6])
    redis.call('ZADD', KEYS[3], event[7], event[8])
  end
  for _, set in ipairs(event[9]) do redis.call('ZADD', set, event[7], event[8]) end
  local indexed = tonumber(redis.call('HGET', KEYS[4], event[1]) or '0')
  if tonumber(event[2]) == indexed + 1 then redis.call('HSET', KEYS[4], event[1], event[2]) end
end
return {1}
""",
)

# Entries are {document, cell NUL visit, first, last, inserted, deleted}. ARGV[3] is a token kept for a while: amounts
# that arrive twice count once.
AUTHORS = Script(
    "authors",
    """
local prefix = ARGV[1]
local seen = prefix .. ':authors-token:' .. ARGV[3]
if redis.call('EXISTS', seen) == 1 then return 0 end
redis.call('SET', seen, '1', 'PX', '60000')
for _, entry in ipairs(cmsgpack.unpack(ARGV[2])) do
  local key = prefix .. ':authors:' .. entry[1]
  local kept = redis.call('HGET', key, entry[2])
  local first, last, inserted, deleted = entry[3], entry[4], entry[5], entry[6]
  if kept then
    local known = cmsgpack.unpack(kept)
    if tonumber(known[1]) < tonumber(first) then first = known[1] end
    if tonumber(known[2]) > tonumber(last) then last = known[2] end
    inserted, deleted = inserted + known[3], deleted + known[4]
  end
  redis.call('HSET', key, entry[2], cmsgpack.pack({first, last, inserted, deleted}))
  redis.call('SADD', KEYS[1], entry[1])
end
return 1
""",
)

FORGET_AUTHORS = Script(
    "forget authors",
    """
local key = KEYS[2]
local kept = redis.call('HGETALL', key)
local left = 0
for at = 1, #kept, 2 do
  if tonumber(cmsgpack.unpack(kept[at + 1])[2]) < tonumber(ARGV[1]) then
    redis.call('HDEL', key, kept[at])
  else
    left = left + 1
  end
end
if left == 0 then redis.call('SREM', KEYS[1], ARGV[2]) end
return left
""",
)

# Entries are {packed, size, is a whole document, at, origin (of an UPDATE, else '')}. A whole document begins a part;
# past the limit whole parts go, never the last.
APPEND_EDITS = Script(
    "append edits",
    """
local prefix, log, document, path, limit, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[7]
local entries = cmsgpack.unpack(ARGV[6])
local key = prefix .. ':log:' .. log
local known = redis.call('EXISTS', key) == 1
if redis.call('HGET', key, 'token') == token then return 2 end
if not known and (#entries == 0 or not entries[1][3]) then return 0 end
local number = function(field, usual) return tonumber(redis.call('HGET', key, field) or usual) end
local first, part, size = number('first', 1), number('part', 0), number('size', 0)
redis.call('HSET', key, 'token', token)
for _, entry in ipairs(entries) do
  local packed, bytes, whole, at, origin = unpack(entry)
  if whole then
    part = part + 1
    redis.call('HSET', key, 'begin:' .. part, at, 'path:' .. part, path)
  end
  redis.call('RPUSH', key .. ':' .. part, packed)
  redis.call('HINCRBY', key, 'size:' .. part, bytes)
  size = size + bytes
  if tonumber(redis.call('HGET', key, 'last') or '-1e300') < tonumber(at) then redis.call('HSET', key, 'last', at) end
  if tonumber(redis.call('HGET', key, 'begin:' .. part)) > tonumber(at) then
    redis.call('HSET', key, 'begin:' .. part, at)
  end
  if origin ~= '' then
    redis.call('HSET', key .. ':by', part .. '\\0' .. origin, cmsgpack.pack({at, path}))
    redis.call('SADD', prefix .. ':logs:by:' .. origin, log)
  end
end
local cut = {}
while size > limit and first < part do
  size = size - tonumber(redis.call('HGET', key, 'size:' .. first))
  redis.call('DEL', key .. ':' .. first)
  redis.call('HDEL', key, 'size:' .. first, 'begin:' .. first, 'path:' .. first)
  for _, field in ipairs(redis.call('HKEYS', key .. ':by')) do
    local of, origin = string.match(field, '^(%d+)%z(.*)$')
    if tonumber(of) == first then
      redis.call('HDEL', key .. ':by', field)
      cut[origin] = true
    end
  end
  first = first + 1
end
if next(cut) then
  for _, field in ipairs(redis.call('HKEYS', key .. ':by')) do cut[string.match(field, '^%d+%z(.*)$')] = nil end
  for origin in pairs(cut) do redis.call('SREM', prefix .. ':logs:by:' .. origin, log) end
end
redis.call('HSET', key, 'first', first, 'part', part, 'size', string.format('%d', size))
redis.call('SADD', KEYS[1], log)
redis.call('SADD', prefix .. ':logs:of:' .. document, log)
return 1
""",
)

READ_EDITS = Script(
    "read edits",
    """
local key = KEYS[1]
local bounds = redis.call('HMGET', key, 'first', 'part')
local found = {}
if bounds[1] then
  for part = tonumber(bounds[1]), tonumber(bounds[2]) do
    found[#found + 1] = redis.call('LRANGE', key .. ':' .. part, 0, -1)
  end
end
return found
""",
)

# Only if nobody wrote in it since it was looked at.
DROP_LOG = Script(
    "drop log",
    """
local prefix, log, document, last = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local key = prefix .. ':log:' .. log
local found = redis.call('HMGET', key, 'last', 'first', 'part')
if found[1] ~= last then return 0 end
for part = tonumber(found[2]), tonumber(found[3]) do redis.call('DEL', key .. ':' .. part) end
for _, field in ipairs(redis.call('HKEYS', key .. ':by')) do
  redis.call('SREM', prefix .. ':logs:by:' .. string.sub(field, string.find(field, '\\0', 1, true) + 1), log)
end
redis.call('DEL', key, key .. ':by')
redis.call('SREM', KEYS[1], log)
redis.call('SREM', prefix .. ':logs:of:' .. document, log)
return 1
""",
)

ALL = (
    *(COMMIT, REPLACE, LEASE, RELEASE, OVERLAY, APPEND, AUTHORS, FORGET_AUTHORS),
    *(APPEND_EDITS, READ_EDITS, DROP_LOG),
)

# Look at buckets, take one of each or of none, or spend whatever is there. A bucket is level, moment and the token of
# who wrote it last: what arrives twice is not taken twice. Answers the seconds to wait for each, before it was taken.
TALLY = Script(
    "tally",
    """
local what, amount, asked, token = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local levels, moments, waits, free = {}, {}, {}, true
for i, key in ipairs(KEYS) do
  local speed, burst = tonumber(ARGV[3 + 2 * i]), tonumber(ARGV[4 + 2 * i])
  local found = redis.call('HMGET', key, 'level', 'at', 'token')
  local level, at = burst, asked
  if found[1] then
    if found[3] == token then
      for j = 1, #KEYS do waits[j] = 0 end
      return waits
    end
    level, at = tonumber(found[1]), tonumber(found[2])
    if asked > at then level, at = level + (asked - at) * speed, asked end
    if level > burst then level = burst end
  end
  levels[i], moments[i], waits[i] = level, at, 0
  if level < 1 then
    waits[i] = math.max(1, math.floor((1 - level) / speed) + 1)
    free = false
  end
end
if what == 'look' or (what == 'take' and not free) then return waits end
for i, key in ipairs(KEYS) do
  local speed, burst = tonumber(ARGV[3 + 2 * i]), tonumber(ARGV[4 + 2 * i])
  local level = math.min(levels[i] - amount, burst)
  if level >= burst then
    redis.call('DEL', key)
  else
    local at = string.format('%.17g', moments[i])
    redis.call('HSET', key, 'level', string.format('%.17g', level), 'at', at, 'token', token)
    redis.call('EXPIRE', key, math.floor((burst - level) / speed) + 60)
  end
end
return waits
""",
)

-- Debian's redis-lua against a server: `lua5.1 redis_lua.lua HOST PORT`. Empties that server.
--
-- Deadlines only guard against hanging; what is checked does not depend on the machine's speed.

local redis = require 'redis'
local host, port = arg[1], tonumber(arg[2])

local function connected()
    local client = redis.connect(host, port)
    client.network.socket:settimeout(60)
    return client
end

local function text(value)
    if type(value) ~= 'table' then return tostring(value) end
    local parts = {}
    for index, each in ipairs(value) do parts[index] = text(each) end
    return '{' .. table.concat(parts, ', ') .. '}'
end

local function check(what, got, wanted)
    got, wanted = text(got), text(wanted)
    if got ~= wanted then error(what .. ': wanted ' .. wanted .. ', got ' .. got) end
end

local function raises(wanted, call)
    local fine, got = pcall(call)
    if fine or not got:find(wanted, 1, true) then error('wanted ' .. wanted .. ', got ' .. text(got)) end
end

local function checked(what)
    print('redis_lua: ' .. what)
    io.flush()
end

local function range(first, last, step)
    local all = {}
    for number = first, last, step or 1 do all[#all + 1] = tostring(number) end
    return all
end

local function values(client)
    local bytes = ('\0\r\n\255x'):rep(500000)
    check('SET', client:set('a\0\r\n', bytes), true)
    check('GET', client:get('a\0\r\n') == bytes, true)
    check('none', client:get('none'), nil)
    raises('WRONGTYPE Operation against a key', function() client:lpush('a\0\r\n', 'x') end)
    check('HMSET', client:hmset('hash', { a = 1, b = 'two' }), true)
    local hash = client:hgetall('hash')
    check('HGETALL', { hash.a, hash.b }, { '1', 'two' })
    check('ZADD', client:zadd('zset', 1.5, 'a', 2, 'b'), 2)
    check('ZRANGE', client:zrange('zset', 0, -1, { withscores = true }), { { 'a', '1.5' }, { 'b', '2' } })
    client:rpush('list', 3, 1, 2)
    check('SORT', client:sort('list', { sort = 'desc', limit = { 0, 2 } }), { '3', '2' })
    check('INFO', client:info().server.redis_mode, 'standalone')
    checked('values of 2.5 MB, hashes, sorted sets, sorting')
end

local function many(client)
    local replies, count = client:pipeline(function(pipe)
        for number = 1, 10000 do
            pipe:set('many:' .. number, number)
            pipe:incrby('sum', number)
        end
    end)
    check('replies', { count, replies[1], replies[20000] }, { 20000, true, 50005000 })
    local found, cursor, seen = {}, 0, 0
    repeat
        local step = client:scan(cursor, { match = 'many:*', count = 500 })
        cursor = step[1]
        for _, key in ipairs(step[2]) do
            if not found[key] then found[key], seen = true, seen + 1 end
        end
    until cursor == '0'
    check('SCAN', seen, 10000)
    checked('a pipeline of 20,000 commands, a scan')
end

-- Another client comes in between twice; then the transaction holds.
local function transactions(client)
    local other, tries = connected(), 0
    client:set('watched', 1)
    local options = { watch = { 'watched' }, cas = true, retry = 5 }
    local replies = client:transaction(options, function(run)
        tries = tries + 1
        local before = run:get('watched')
        if tries <= 2 then other:incrby('watched', 10) end
        run:multi()
        run:set('watched', before * 2)
        run:get('watched')
    end)
    check('replies', replies, { true, '42' })
    check('tries', tries, 3)
    checked('a transaction that is tried until nobody comes in between')
end

local function scripts(client)
    local script = "redis.call('INCRBY', KEYS[1], ARGV[1]) return {redis.call('GET', KEYS[1]), {1, 'x'}}"
    check('EVAL', client:eval(script, 1, 'counted', 5), { '5', { 1, 'x' } })
    local digest = client:script('load', script)
    check('EVALSHA', client:evalsha(digest, 1, 'counted', 5), { '10', { 1, 'x' } })
    client:script('flush')
    raises('NOSCRIPT', function() client:evalsha(digest, 1, 'counted', 5) end)
    raises('too much', function() client:eval("return redis.error_reply('FULL too much')", 0) end)
    checked('scripts, after SCRIPT FLUSH, too')
end

local function messages(client)
    local publisher, heard, subscribed = connected(), { message = {}, pmessage = {} }, 0
    for message, abort in client:pubsub({ subscribe = 'news', psubscribe = 'news:*' }) do
        if message.kind == 'subscribe' or message.kind == 'psubscribe' then
            subscribed = subscribed + 1
            for number = 1, subscribed == 2 and 300 or 0 do
                publisher:publish(number % 3 == 0 and 'news' or 'news:other', number)
            end
        elseif heard[message.kind] then
            table.insert(heard[message.kind], message.payload)
            if message.payload == '300' then abort() end
        end
    end
    check('messages', heard.message, range(3, 300, 3))
    local others = {}
    for number = 1, 300 do
        if number % 3 ~= 0 then others[#others + 1] = tostring(number) end
    end
    check('of a pattern', heard.pmessage, others)
    check('commands again', client:ping(), true)
    checked('300 messages to a channel and a pattern, in their order')
end

local function blocking(client)
    check('nothing comes', client:blpop('jobs', 1), nil)
    client:rpush('jobs', unpack(range(1, 100)))
    for number = 1, 100 do check('BLPOP', client:blpop('empty', 'jobs', 60), { 'jobs', tostring(number) }) end
    redis.commands.object = redis.command('OBJECT')
    check('a command of its own', connected():object('encoding', 'sum'), 'int')
    checked('blocking lists, a command of its own')
end

local client = connected()
client:flushall()
values(client)
many(client)
transactions(client)
scripts(client)
messages(client)
blocking(client)
client:flushall()
print(redis._VERSION .. ' under ' .. _VERSION .. ': ok')

<?php
// PHP's Redis extension and its sessions, in several processes, against a server: `php php_redis.php HOST PORT`.
// Empties that server.

require __DIR__ . '/shared.php';

const SESSION = 'abcdef0123456789';
const VISITS = 100;

function connected(): Redis
{
    $redis = new Redis();
    check('connected', $redis->connect(HOST, PORT, SECONDS, null, 0, SECONDS), true);
    return $redis;
}

function open_session(string $id, int $seconds): void
{
    ini_set('session.gc_maxlifetime', (string) $seconds);
    session_id($id);
    check('session', session_start(), true);
}

function prepare_sessions(): void
{
    // Output before sessions would be sent headers.
    foreach (['use_cookies', 'use_only_cookies', 'use_strict_mode'] as $name) {
        ini_set("session.$name", '0');
    }
    ini_set('session.cache_limiter', '');
    ini_set('session.save_handler', 'redis');
    ini_set('session.save_path', 'tcp://' . HOST . ':' . PORT . '?prefix=session:');
    ini_set('redis.session.locking_enabled', '1');
    ini_set('redis.session.lock_retries', '-1');
    ini_set('redis.session.lock_wait_time', '500');
}

/** One of the processes that share a session: what it has read must be what it changes. */
function visit(): void
{
    for ($index = 0; $index < VISITS; $index++) {
        open_session(SESSION, 600);
        $before = $_SESSION['visits'] ?? 0;
        usleep(500);
        $_SESSION['visits'] = $before + 1;
        session_write_close();
    }
}

function sessions(Redis $redis): void
{
    ended([start('visit'), start('visit'), start('visit')]);
    open_session(SESSION, 600);
    check('visits', $_SESSION['visits'], 3 * VISITS);
    $_SESSION['basket'] = ['é' => [1, 2.5, null]];
    check('locked meanwhile', $redis->exists('session:' . SESSION . '_LOCK'), 1);
    session_write_close();
    check('unlocked', $redis->keys('session:*'), ['session:' . SESSION]);
    check('time to live', $redis->ttl('session:' . SESSION) > 500, true);
    open_session(SESSION, 600);
    check('kept', $_SESSION['basket'], ['é' => [1, 2.5, null]]);
    check('another id', session_regenerate_id(true), true);
    $other = session_id();
    session_write_close();
    check('the old one is gone', $redis->keys('session:*'), ["session:$other"]);
    open_session($other, 600);
    check('moved', $_SESSION['visits'], 3 * VISITS);
    check('destroyed', session_destroy(), true);
    check('nothing left', $redis->keys('session:*'), []);
    open_session('short', 1);
    $_SESSION['visits'] = 1;
    session_write_close();
    until('it has expired', fn() => $redis->keys('session:*') === []);
    open_session('short', 600);
    check('empty', $_SESSION, []);
    session_destroy();
    checked('300 visits of 3 processes in one session by its lock, other ids, ends and expiry of sessions');
}

function values(Redis $redis): void
{
    $bytes = random_bytes(5 << 20);
    check('SET', $redis->set("a\0\r\n", $bytes, ['nx', 'px' => 100000]), true);
    check('SET NX', $redis->set("a\0\r\n", 'other', ['nx']), false);
    check('GET', $redis->get("a\0\r\n") === $bytes, true);
    check('none', $redis->get('none'), false);
    check('error', $redis->lPush("a\0\r\n", 'x'), false);
    // This extension leaves a NUL at its end.
    check('text', rtrim($redis->getLastError(), "\0"), 'WRONGTYPE Operation against a key holding the wrong kind of value');
    $redis->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_PHP);
    $redis->setOption(Redis::OPT_PREFIX, 'app:');
    $value = ['n' => 1, 'list' => [true, null, 1.5]];
    check('MSET', $redis->mSet(['one' => $value, 'two' => 'text']), true);
    check('MGET', $redis->mGet(['one', 'none', 'two']), [$value, false, 'text']);
    check('HMSET', $redis->hMSet('hash', ['a' => $value, 'b' => 2]), true);
    check('HGETALL', $redis->hGetAll('hash'), ['a' => $value, 'b' => 2]);
    check('ZADD', $redis->zAdd('zset', 1.5, 'a', 2, 'b'), 2);
    check('ZRANGE', $redis->zRange('zset', 0, -1, true), ['a' => 1.5, 'b' => 2.0]);
    $redis->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_NONE);
    $redis->setOption(Redis::OPT_PREFIX, '');
    check('its key', unserialize($redis->get('app:one')), $value);
    check('RESTORE', $redis->restore('copy', 0, $redis->dump('app:zset')), true);
    check('the copy', $redis->zScore('copy', serialize('b')), 2.0);
    checked('values of 5 MiB, serialized, under a prefix, dumped');
}

function many(Redis $redis): void
{
    $pipe = $redis->multi(Redis::PIPELINE);
    for ($index = 0; $index < 10000; $index++) {
        $pipe->set("many:$index", (string) $index)->incrBy('sum', $index);
    }
    $replies = $pipe->exec();
    check('replies', [count($replies), $replies[0], end($replies)], [20000, true, 49995000]);
    $redis->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
    $found = [];
    for ($cursor = null; $keys = $redis->scan($cursor, 'many:*', 500);) {
        $found += array_flip($keys);
    }
    check('SCAN', count($found), 10000);
    $redis->sAddArray('set', range(1, 3000));
    $members = [];
    for ($cursor = null; $some = $redis->sScan('set', $cursor, '*', 100);) {
        $members += array_flip($some);
    }
    check('SSCAN', count($members), 3000);
    $other = connected();
    check('WATCH', $redis->watch('watched'), true);
    $other->set('watched', 'changed');
    check('not run', $redis->multi()->set('watched', 'mine')->exec(), false);
    check('run', $redis->multi()->get('watched')->lPush('watched', 'x')->incr('n')->exec(), ['changed', false, 1]);
    checked('a pipeline of 20,000 commands, scans, transactions');
}

function scripts(Redis $redis): void
{
    $script = "redis.call('INCRBY', KEYS[1], ARGV[1]) return {redis.call('GET', KEYS[1]), 1, {'x', false}}";
    check('EVAL', $redis->eval($script, ['counted', 5], 1), ['5', 1, ['x', false]]);
    check('EVALSHA', $redis->evalSha(sha1($script), ['counted', 5], 1), ['10', 1, ['x', false]]);
    check('SCRIPT FLUSH', $redis->script('flush'), true);
    check('unknown', $redis->evalSha(sha1($script), ['counted', 5], 1), false);
    check('NOSCRIPT', substr($redis->getLastError(), 0, 9), 'NOSCRIPT ');
    check('SCRIPT LOAD', $redis->script('load', $script), sha1($script));
    check('SCRIPT EXISTS', $redis->script('exists', sha1($script), sha1('')), [1, 0]);
    checked('scripts, after SCRIPT FLUSH, too');
}

/** Takes what comes until it is told to stop. */
function work(): void
{
    for ($redis = connected(); ($got = $redis->blPop(['jobs', 'stop'], SECONDS)) && $got[0] === 'jobs';) {
        $redis->rPush('done', $got[1]);
        $redis->publish('news', $got[1]);
    }
}

/** Says that the work may begin when somebody listens. */
function begin(): void
{
    $redis = connected();
    until('somebody listens', fn() => $redis->pubsub('numsub', ['news'])['news'] > 0);
    $redis->publish('news', 'begin');
}

function processes(Redis $redis): void
{
    $numbers = array_map(strval(...), range(1, 500));
    $workers = [start('work'), start('work')];
    $heard = [];
    $listen = function (Redis $listener, string $_, string $text) use (&$heard, $redis, $numbers): void {
        if ($text === 'begin') {
            $redis->rPush('jobs', ...$numbers);
        } elseif (array_push($heard, $text) === count($numbers)) {
            $listener->close();
        }
    };
    $starter = start('begin');
    try {
        connected()->subscribe(['news'], $listen);
    } catch (RedisException) {
        // It has been closed.
    }
    $redis->rPush('stop', 'now', 'now');
    ended([$starter, ...$workers]);
    sort($heard, SORT_NUMERIC);
    check('messages', $heard, $numbers);
    $done = $redis->lRange('done', 0, -1);
    sort($done, SORT_NUMERIC);
    check('each once', $done, $numbers);
    checked('500 jobs of two processes by blocking lists, each once and told of');
}

function streams(Redis $redis): void
{
    check('group', $redis->xGroup('create', 'events', 'team', '0', true), true);
    for ($index = 0; $index < 100; $index++) {
        $redis->xAdd('events', '*', ['number' => (string) $index]);
    }
    $taken = [];
    foreach (['anna', 'ben', 'anna', 'ben'] as $name) {
        $part = $redis->xReadGroup('team', $name, ['events' => '>'], 25)['events'];
        $taken = [...$taken, ...array_column($part, 'number')];
        check('XACK', $redis->xAck('events', 'team', array_slice(array_keys($part), 0, 20)), 20);
    }
    check('each once', $taken, array_map(strval(...), range(0, 99)));
    [$count, , , $consumers] = $redis->xPending('events', 'team');
    check('pending', [$count, $consumers], [20, [['anna', '10'], ['ben', '10']]]);
    checked('a stream of two consumers');
}

prepare_sessions();
if (isset($argv[3])) {
    $argv[3]();
    exit(0);
}
ob_start();
$redis = connected();
$redis->flushAll();
sessions($redis);
ob_end_flush();
values($redis);
many($redis);
scripts($redis);
processes($redis);
streams($redis);
$redis->flushAll();
echo 'php-redis ' . phpversion('redis') . ' under PHP ' . PHP_VERSION . ": ok\n";

<?php
// Debian's Predis against a server: `php predis_app.php HOST PORT`. Empties that server.

require __DIR__ . '/shared.php';
// This Predis is older than PHP 8.2.
error_reporting(E_ALL & ~E_DEPRECATED);
require 'Predis/Autoloader.php';
Predis\Autoloader::register();

use Predis\Collection\Iterator;

function connected(array $options = []): Predis\Client
{
    $place = ['host' => HOST, 'port' => PORT, 'timeout' => SECONDS, 'read_write_timeout' => SECONDS];
    return new Predis\Client($place, $options);
}

class AddUpTo extends Predis\Command\ScriptCommand
{
    public function getKeysCount(): int
    {
        return 1;
    }

    public function getScript(): string
    {
        return "local n = tonumber(redis.call('GET', KEYS[1]) or 0) + ARGV[1]
            if n > tonumber(ARGV[2]) then return redis.error_reply('FULL it would be ' .. n) end
            redis.call('SET', KEYS[1], n) return n";
    }
}

function many(Predis\Client $redis): void
{
    $replies = $redis->pipeline(function ($pipe): void {
        for ($index = 0; $index < 5000; $index++) {
            $pipe->set("many:$index", $index);
            $pipe->incrby('sum', $index);
            $pipe->sadd('set', [$index]);
            $pipe->hset('hash', "field:$index", $index);
            $pipe->zadd('zset', ["member:$index" => $index / 2]);
        }
    });
    check('replies', count($replies), 25000);
    check('kinds', [(string) $replies[0], $replies[24996]], ['OK', 12497500]);
    check('SCAN', count(array_unique(iterator_to_array(new Iterator\Keyspace($redis, 'many:*', 300)))), 5000);
    check('SSCAN', count(array_unique(iterator_to_array(new Iterator\SetKey($redis, 'set')))), 5000);
    $fields = iterator_to_array(new Iterator\HashKey($redis, 'hash'));
    check('HSCAN', [count($fields), $fields['field:4321']], [5000, '4321']);
    $scores = iterator_to_array(new Iterator\SortedSetKey($redis, 'zset'));
    check('ZSCAN', [count($scores), $scores['member:4321']], [5000, 2160.5]);
    checked('a pipeline of 25,000 commands, all four scans');
}

/** One of the processes that draw from the same accounts, each by a transaction that is tried until it holds. */
function draw(): void
{
    $redis = connected();
    for ($index = 0; $index < 50; $index++) {
        $options = ['cas' => true, 'watch' => ['from', 'to'], 'retry' => 10000];
        $redis->transaction($options, function ($transaction): void {
            [$from, $to] = $transaction->mget('from', 'to');
            $transaction->multi();
            $transaction->set('from', $from - 1);
            $transaction->set('to', $to + 1);
        });
    }
}

function transactions(Predis\Client $redis): void
{
    $redis->mset(['from' => 1000, 'to' => 0]);
    ended([start('draw'), start('draw'), start('draw')]);
    check('drawn', $redis->mget('from', 'to'), ['850', '150']);
    $other = connected();
    raises(Predis\Transaction\AbortedMultiExecException::class, '', fn() => $redis->transaction(
        ['cas' => true, 'watch' => 'from'],
        function ($transaction) use ($other): void {
            check('before', $transaction->get('from'), '850');
            $other->set('from', 'changed');
            $transaction->multi();
            $transaction->set('from', 'mine');
        },
    ));
    check('not run', $redis->get('from'), 'changed');
    checked('150 transactions of 3 processes that watch the same keys, one that is given up');
}

function scripts(Predis\Client $redis): void
{
    $redis->getProfile()->defineCommand('addupto', AddUpTo::class);
    check('added', [$redis->addupto('limited', 6, 10), $redis->addupto('limited', 4, 10)], [6, 10]);
    raises(Predis\Response\ServerException::class, 'FULL it would be 11', fn() => $redis->addupto('limited', 1, 10));
    $redis->script('flush');
    check('after SCRIPT FLUSH', $redis->addupto('limited', -3, 10), 7);
    check('cached', $redis->script('exists', sha1((new AddUpTo())->getScript())), [1]);
    checked('a command that is a script, after SCRIPT FLUSH, too');
}

/** Publishes when both subscriptions are there. */
function publish(): void
{
    $redis = connected();
    until('somebody listens', fn() => $redis->pubsub('numsub', 'news')['news'] > 0 && $redis->pubsub('numpat') > 0);
    foreach (range(1, 300) as $number) {
        $redis->publish($number % 3 ? 'news:other' : 'news', $number);
    }
    $redis->publish('news', 'end');
}

function messages(): void
{
    $publisher = start('publish');
    $heard = ['message' => [], 'pmessage' => []];
    $loop = connected()->pubSubLoop(['subscribe' => 'news', 'psubscribe' => 'news:*']);
    foreach ($loop as $message) {
        if ($message->payload === 'end') {
            $loop->stop(true);
            break;
        }
        isset($heard[$message->kind]) && $heard[$message->kind][] = (int) $message->payload;
    }
    ended([$publisher]);
    check('messages', $heard['message'], range(3, 300, 3));
    check('of a pattern', $heard['pmessage'], array_values(array_diff(range(1, 300), range(3, 300, 3))));
    checked('300 messages to a channel and a pattern, in their order');
}

/** One request of a web application, whose session Predis keeps. */
function request(string $seconds, string $visits): void
{
    foreach (['use_cookies', 'use_only_cookies', 'use_strict_mode'] as $name) {
        ini_set("session.$name", '0');
    }
    (new Predis\Session\Handler(connected(['prefix' => 'session:']), ['gc_maxlifetime' => (int) $seconds]))->register();
    session_id('abcdef');
    session_start(['cache_limiter' => '']);
    check('visits', $_SESSION['visits'] ?? 0, (int) $visits);
    $_SESSION['visits'] = $visits + 1;
}

function sessions(Predis\Client $redis): void
{
    foreach ([0, 1, 2] as $visits) {
        ended([start('request', '100', (string) $visits)]);
    }
    $left = $redis->ttl('session:abcdef');
    check('time to live', 0 < $left && $left <= 100, true);
    ended([start('request', '1', '3')]);
    until('it has expired', fn() => !$redis->exists('session:abcdef'));
    ended([start('request', '1', '0')]);
    checked('sessions from process to process, and their expiry');
}

if (isset($argv[3])) {
    $argv[3](...array_slice($argv, 4));
    exit(0);
}
$redis = connected();
$redis->flushall();
many($redis);
transactions($redis);
scripts($redis);
messages();
sessions($redis);
$redis->flushall();
echo 'Predis ' . Predis\Client::VERSION . ' under PHP ' . PHP_VERSION . ": ok\n";

# Perl's Redis::Fast against a server: `perl perl_redis_fast.pl HOST PORT`. Empties that server.
#
# Deadlines only guard against hanging; what is checked does not depend on the machine's speed.

use strict;
use warnings FATAL => 'all';
use Digest::SHA qw(sha1_hex);
use Redis::Fast;

my ($host, $port) = @ARGV;
alarm 60;
$| = 1;

sub connected { Redis::Fast->new(server => "$host:$port", reconnect => 10, every => 1000, @_) }

sub text { ref $_[0] ? '[' . join(', ', map { text($_) } @{ $_[0] }) . ']' : $_[0] // 'undef' }

sub check {
    my ($what, $got, $wanted) = @_;
    ($got, $wanted) = (text($got), text($wanted));
    die "$what: wanted $wanted, got $got\n" if $got ne $wanted;
}

sub raises {
    my ($what, $wanted, $call) = @_;
    die "$what: no error\n" if eval { $call->(); 1 };
    die "$what: wanted $wanted, got $@" if index($@, $wanted) < 0;
}

sub checked { print "perl_redis_fast: $_[0]\n" }

my ($main, %children) = ($$);
# If the run fails, it leaves none of them.
END { kill KILL => keys %children if $$ == $main }

# Runs a part of the work in a process of its own, which leaves with 0 only if it comes to its end.
sub start {
    my ($call) = @_;
    my $pid = fork // die "fork: $!";
    if ($pid) {
        $children{$pid} = 1;
        return $pid;
    }
    alarm 60;
    $call->(connected());
    exit 0;
}

sub ended {
    for my $pid (@_) {
        waitpid $pid, 0;
        delete $children{$pid};
        check('exit code of a process', $?, 0);
    }
}

sub values_of {
    my ($redis) = @_;
    my $bytes = pack('C*', map { $_ * 7 % 256 } 1 .. 3_000_000);
    check('SET', $redis->set("a\0\r\n", $bytes), 'OK');
    check('GET', $redis->get("a\0\r\n") eq $bytes, 1);
    check('none', $redis->get('none'), undef);
    raises('error', '[lpush] WRONGTYPE Operation against a key', sub { $redis->lpush("a\0\r\n", 'x') });
    raises('unknown', "[nosuch] ERR unknown command 'NOSUCH'", sub { $redis->nosuch(1) });
    $redis->hset('hash', $_, $_ * 2) for 1 .. 500;
    my %hash = $redis->hgetall('hash');
    check('HGETALL', [ scalar(keys %hash), $hash{400} ], [ 500, 800 ]);
    check('ZADD', $redis->zadd('zset', 1.5, 'a', 2, 'b'), 2);
    check('ZRANGE', [ $redis->zrange('zset', 0, -1, 'WITHSCORES') ], [ 'a', '1.5', 'b', '2' ]);
    check('INFO', $redis->info->{redis_mode}, 'standalone');
    checked('values of 3 MB, errors, hashes, sorted sets');
}

sub many {
    my ($redis) = @_;
    my ($replies, $sum) = (0, 0);
    for my $number (1 .. 20_000) {
        $redis->set("many:$number", $number, sub { $replies += $_[0] eq 'OK' });
        $redis->incrby('sum', $number, sub { $sum = $_[0] });
    }
    my $error;
    $redis->incr('many', sub { });
    $redis->lpush('many', 'x', sub { $error = $_[1] });
    $redis->wait_all_responses;
    check('replies', [ $replies, $sum ], [ 20_000, 200_010_000 ]);
    check('error', $error =~ /^WRONGTYPE /, 1);
    my (%found, $keys);
    my $cursor = 0;
    do {
        ($cursor, $keys) = @{ $redis->scan($cursor, 'MATCH', 'many:*', 'COUNT', 700) };
        $found{$_}++ for @$keys;
    } while $cursor ne '0';
    check('SCAN', scalar(keys %found), 20_000);
    checked('a pipeline of 40,000 commands with callbacks, a scan');
}

# Each process adds by a transaction that is tried until nobody has come in between.
sub transactions {
    my ($redis) = @_;
    my $add = sub {
        my ($mine) = @_;
        for (1 .. 50) {
            my @done;
            do {
                $mine->watch('watched');
                my $before = $mine->get('watched') // 0;
                $mine->multi;
                $mine->set('watched', $before + 1);
                $mine->rpush('log', $before + 1);
                @done = $mine->exec;
            } until @done == 2 && defined $done[0];
        }
    };
    ended(map { start($add) } 1 .. 3);
    check('sum', $redis->get('watched'), 150);
    check('in order', [ $redis->lrange('log', 0, -1) ], [ 1 .. 150 ]);
    checked('150 transactions of 3 processes that watch the same key');
}

sub scripts {
    my ($redis) = @_;
    my $script = "redis.call('INCRBY', KEYS[1], ARGV[1]) return {redis.call('GET', KEYS[1]), {1, false}}";
    check('EVAL', [ $redis->eval($script, 1, 'counted', 5) ], [ 5, [ 1, undef ] ]);
    check('EVALSHA', [ $redis->evalsha(sha1_hex($script), 1, 'counted', 5) ], [ 10, [ 1, undef ] ]);
    check('SCRIPT FLUSH', $redis->script_flush, 'OK');
    raises('unknown', '[evalsha] NOSCRIPT ', sub { $redis->evalsha(sha1_hex($script), 1, 'counted', 5) });
    check('SCRIPT LOAD', $redis->script_load($script), sha1_hex($script));
    checked('scripts, after SCRIPT FLUSH, too');
}

sub jobs {
    my ($redis) = @_;
    my @workers = map {
        start(sub {
            my ($mine) = @_;
            while (1) {
                my (undef, $job) = $mine->blpop('jobs', 60);
                last if $job eq 'end';
                $mine->rpush('done', $job);
            }
        })
    } 1 .. 3;
    $redis->rpush('jobs', $_) for 1 .. 600, 'end', 'end', 'end';
    ended(@workers);
    check('each once', [ sort { $a <=> $b } $redis->lrange('done', 0, -1) ], [ 1 .. 600 ]);
    checked('600 jobs of 3 processes by blocking lists, each once');
}

sub messages {
    my ($redis) = @_;
    my $publisher = start(sub {
        my ($mine) = @_;
        select undef, undef, undef, 0.02
            until $mine->pubsub('numsub', 'news')->[1] && $mine->pubsub('numpat');
        $mine->publish($_ % 3 ? 'news:other' : 'news', $_) for 1 .. 300;
    });
    my (@plain, @of_pattern);
    my $listener = connected();
    $listener->subscribe('news', sub { push @plain, $_[0] });
    $listener->psubscribe('news:*', sub { push @of_pattern, $_[0] });
    $listener->wait_for_messages(1) while @plain + @of_pattern < 300;
    ended($publisher);
    check('messages', \@plain, [ grep { $_ % 3 == 0 } 1 .. 300 ]);
    check('of a pattern', \@of_pattern, [ grep { $_ % 3 } 1 .. 300 ]);
    checked('300 messages to a channel and a pattern, in their order');
}

# A client whose connection is closed connects again, with its name and in its database.
sub reconnects {
    my ($redis) = @_;
    my $other = connected(name => 'other');
    $other->select(3);
    $other->set('here', 1);
    my ($id) = map { /^id=(\d+) .*name=other / ? $1 : () } split /\n/, $redis->client_list;
    check('CLIENT KILL', $redis->client_kill('ID', $id), 1);
    check('again', $other->incr('here'), 2);
    check('its name', $other->client_getname, 'other');
    checked('a connection that was closed, opened again');
}

my $redis = connected();
$redis->flushall;
values_of($redis);
many($redis);
transactions($redis);
scripts($redis);
jobs($redis);
messages($redis);
reconnects($redis);
$redis->flushall;
print "Redis::Fast $Redis::Fast::VERSION: ok\n";

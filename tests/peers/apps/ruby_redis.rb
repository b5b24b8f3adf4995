# Debian's redis-rb itself against a server: `ruby ruby_redis.rb HOST PORT`. Empties that server.

require "digest"
require "redis"
require "tempfile"
require "timeout"
require_relative "shared"

REDIS = Redis.new(url: URL, timeout: 60)

def connected(**options)
  Redis.new(url: URL, timeout: 60, **options)
end

def raises(kind, text)
  got = yield
rescue kind => error
  check("error text", error.message[0, text.size], text)
else
  raise "wanted #{kind}: #{text}, got #{got.inspect}"
end

def values
  bytes = Random.bytes(5 << 20)
  check("SET", REDIS.set("a\0\r\n", bytes, nx: true, px: 100_000), true)
  check("SET NX", REDIS.set("a\0\r\n", "other", nx: true), false)
  check("GET", REDIS.get("a\0\r\n").b == bytes, true)
  raises(Redis::CommandError, "WRONGTYPE Operation against") { REDIS.lpush("a\0\r\n", "x") }
  check("HSET", REDIS.mapped_hmset("hash", "a" => 1, "é" => "ü"), "OK")
  check("HGETALL", REDIS.hgetall("hash"), { "a" => "1", "é" => "ü" })
  check("ZADD", REDIS.zadd("zset", [[1.5, "a"], [2, "b"], [Float::INFINITY, "c"]]), 3)
  check("ZRANGE", REDIS.zrange("zset", 0, -1, with_scores: true), [["a", 1.5], ["b", 2.0], ["c", Float::INFINITY]])
  check("RESTORE", REDIS.restore("copy", 0, REDIS.dump("zset")), "OK")
  check("the copy", REDIS.zscore("copy", "b"), 2.0)
  checked("values of 5 MiB, hashes, sorted sets, a dump")
end

def many
  replies = REDIS.pipelined do |pipe|
    10_000.times do |n|
      pipe.set("many:#{n}", n)
      pipe.incrby("sum", n)
    end
  end
  check("replies", [replies.size, replies[0], replies[-1]], [20_000, "OK", 49_995_000])
  check("SCAN", REDIS.scan_each(match: "many:*", count: 500).to_a.uniq.size, 10_000)
  REDIS.sadd("set", [*1..3000])
  check("SSCAN", REDIS.sscan_each("set", count: 100).map(&:to_i).sort, [*1..3000])
  future = nil
  replies = REDIS.multi do |run|
    run.set("n", 1)
    future = run.incr("n")
  end
  check("MULTI", replies, ["OK", 2])
  check("its future", future.value, 2)
  raises(Redis::CommandError, "WRONGTYPE") { REDIS.multi { |run| [run.lpush("n", 1), run.incr("n")] } }
  check("the rest was run", REDIS.get("n"), "3")
  checked("a pipeline of 20,000 commands, scans, transactions")
end

# Threads with a client each add by a transaction that is tried until nobody has come in between.
def watching
  add = lambda do |redis|
    redis.watch("watched") do
      before = redis.get("watched").to_i
      redis.multi { |run| [run.set("watched", before + 1), run.rpush("log", before + 1)] }
    end
  end
  Array.new(4) { Thread.new { connected.then { |mine| 50.times { nil until add.call(mine) } } } }.each(&:join)
  check("sum", REDIS.get("watched"), "200")
  check("in order", REDIS.lrange("log", 0, -1).map(&:to_i), [*1..200])
  checked("200 transactions of 4 threads that watch the same key")
end

def scripts
  script = "redis.call('INCRBY', KEYS[1], ARGV[1]) return {redis.call('GET', KEYS[1]), {1, false}}"
  digest = Digest::SHA1.hexdigest(script)
  check("EVAL", REDIS.eval(script, ["counted"], [5]), ["5", [1, nil]])
  check("EVALSHA", REDIS.evalsha(digest, keys: ["counted"], argv: [5]), ["10", [1, nil]])
  check("SCRIPT FLUSH", REDIS.script(:flush), "OK")
  raises(Redis::CommandError, "NOSCRIPT") { REDIS.evalsha(digest, ["counted"], [5]) }
  check("SCRIPT LOAD", REDIS.script(:load, script), digest)
  check("SCRIPT EXISTS", REDIS.script(:exists, [digest, "0" * 40]), [true, false])
  checked("scripts, after SCRIPT FLUSH, too")
end

def blocking
  check("nothing comes", REDIS.blpop("jobs", timeout: 0.1), nil)
  workers = Array.new(3) do
    Thread.new do
      mine = connected
      taken = []
      while (job = mine.blmove("jobs", "done", "LEFT", "RIGHT", timeout: 60)) != "end"
        taken << job.to_i
      end
      taken
    end
  end
  REDIS.rpush("jobs", [*1..600])
  REDIS.rpush("jobs", ["end"] * 3)
  check("each once", workers.flat_map(&:value).sort, [*1..600])
  check("moved", REDIS.llen("done"), 603)
  checked("600 jobs of 3 threads by blocking moves, each once")
end

def messages
  heard = Hash.new { |all, channel| all[channel] = [] }
  listener = Thread.new do
    connected.psubscribe("news:*", "end") do |on|
      on.pmessage { |_, channel, text| channel == "end" ? Thread.exit : heard[channel] << text.to_i }
    end
  end
  wait_until("it listens") { REDIS.pubsub(:numpat) == 2 }
  300.times { |n| check("heard by", REDIS.publish("news:#{n % 2}", n), 1) }
  REDIS.publish("end", "")
  listener.join
  check("messages", heard, { "news:0" => [*0...300].select(&:even?), "news:1" => [*0...300].select(&:odd?) })
  checked("300 messages of two channels, in their order")
end

def streams
  REDIS.xgroup(:create, "events", "team", "0", mkstream: true)
  100.times { |n| REDIS.xadd("events", { number: n }, approximate: true, maxlen: 1000) }
  taken = %w[anna ben anna ben].flat_map do |name|
    entries = REDIS.xreadgroup("team", name, "events", ">", count: 25)["events"]
    check("XACK", REDIS.xack("events", "team", entries.first(20).map(&:first)), 20)
    entries.map { |_, fields| fields["number"].to_i }
  end
  check("each once", taken, [*0...100])
  check("pending", REDIS.xpending("events", "team").values_at("size", "consumers"), [20, { "anna" => "10", "ben" => "10" }])
  claimed = REDIS.xautoclaim("events", "team", "carl", 0, "0-0", count: 50)["entries"]
  check("claimed", claimed.size, 20)
  checked("a stream of two consumers, whose rest is claimed by another")
end

def reconnects
  other = connected(id: "other", db: 3, reconnect_attempts: 3)
  other.set("here", 1)
  id = REDIS.client(:list).find { |client| client["name"] == "other" }["id"]
  check("CLIENT KILL", REDIS.call("CLIENT", "KILL", "ID", id), 1)
  check("again", other.incr("here"), 2)
  checked("a connection that was closed, opened again in its database")
end

run(REDIS, Redis::VERSION, 60) do
  values
  many
  watching
  scripts
  blocking
  messages
  streams
  reconnects
end

# What the applications under Ruby share: `ruby APP.rb HOST PORT`, with Debian's packages.
#
# Deadlines are generous and only guard against hanging; what is checked does not depend on the machine's speed.

HOST, PORT = ARGV
URL = "redis://#{HOST}:#{PORT}/0"
APP = File.basename($PROGRAM_NAME, ".rb")
# The server's clock and this one are the same, but may be read at other times.
SLACK_S = 0.01
WORKERS = {}

def check(what, got, wanted)
  raise "#{what}: wanted #{wanted.inspect}, got #{got.inspect}" unless got == wanted
end

# Tells what has been shown; a section that says nothing has shown nothing.
def checked(what)
  puts "#{APP}: #{what}"
  $stdout.flush
end

# Waits until the block gives something true, and gives that.
def wait_until(what, seconds = 60)
  limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
  loop do
    got = yield
    return got if got
    raise "not within #{seconds} s: #{what}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > limit

    sleep 0.02
  end
end

# A process of the application, with children of its own; its output is shown if the run fails.
def start_worker(*command)
  log = Tempfile.new("worker")
  pid = Process.spawn({ "REDIS_URL" => URL }, *command, in: "/dev/null", out: log.path, err: log.path, pgroup: true)
  WORKERS[pid] = log
  pid
end

# Stopped by SIGTERM, workers end or give back their jobs and leave with 0.
def stop_workers(pids)
  pids.each { |pid| Process.kill(:TERM, pid) }
  pids.each do |pid|
    _, status = Timeout.timeout(60) { Process.wait2(pid) }
    check("exit code of a worker", status.exitstatus, 0)
  end
end

def end_workers(show)
  WORKERS.each do |pid, log|
    begin
      Process.kill(:KILL, -pid)
    rescue Errno::ESRCH
      # It has ended.
    end
    warn(File.read(log.path)) if show
  end
end

def script_calls(redis)
  redis.info("commandstats").values_at("eval", "evalsha").compact.sum { |stats| stats["calls"].to_i }
end

# Runs a whole application: it must have used scripts, and be done within `seconds`.
def run(redis, version, seconds)
  passed = false
  redis.flushall
  before = script_calls(redis)
  Timeout.timeout(seconds) { yield }
  total = script_calls(redis) - before
  check("scripts were run", total.positive?, true)
  redis.flushall
  passed = true
  puts "#{APP} #{version}: ok, #{total} calls of scripts"
ensure
  end_workers(!passed)
end

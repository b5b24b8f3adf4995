# Debian's Sidekiq and its worker processes against a server: `ruby sidekiq_app.rb HOST PORT`. Empties that server.

require "tempfile"
require "timeout"
require_relative "shared"

ENV["REDIS_URL"] = URL
require_relative "sidekiq_jobs"
require "sidekiq/api"

REDIS = Redis.new(url: URL)

def start(*arguments)
  start_worker("sidekiq", "-r", File.join(__dir__, "sidekiq_jobs.rb"), *arguments)
end

def times(name)
  REDIS.lrange("times:#{name}", 0, -1).map(&:to_f)
end

# One process with one thread takes the urgent ones first, each queue in its order.
def order
  (0...30).each { |number| Numbered.set(queue: "usual").perform_async(number) }
  Numbered.set(queue: "urgent").perform_bulk((100...120).map { |number| [number] })
  worker = start("-c", "1", "-q", "urgent", "-q", "usual")
  wait_until("all ran") { REDIS.llen("numbered") >= 50 }
  stop_workers([worker])
  check("order", REDIS.lrange("numbered", 0, -1).map(&:to_i), [*100...120, *0...30])
  check("nothing left", Sidekiq::Queue.all.sum(&:size), 0)
  REDIS.del("numbered")
  checked("50 jobs of one worker in the order of queues, and of their coming")
end

def many
  Numbered.perform_bulk((0...400).map { |number| [number] })
  wait_until("all ran") { REDIS.llen("numbered") >= 400 }
  check("each once", REDIS.lrange("numbered", 0, -1).map(&:to_i).sort, [*0...400])
  checked("400 jobs of two processes with 5 threads each, each once")
end

# Both processes look for jobs whose time has come, by a script: each must be taken once.
def scheduled(round)
  start = Time.now.to_f
  delays = (0...40).to_h { |index| ["#{round}:#{index}", 0.2 + index * 0.03] }
  delays.each { |name, delay| Timed.perform_in(delay, name) }
  gone = Timed.perform_in(1800, "gone")
  check("deleted", Sidekiq::ScheduledSet.new.find_job(gone).delete, true)
  Timed.perform_in(3600, "far:#{round}")
  wait_until("all ran") { delays.keys.all? { |name| REDIS.exists?("times:#{name}") } }
  check("each once", delays.keys.map { |name| times(name).size }.uniq, [1])
  check("too early", delays.select { |name, delay| times(name)[0] < start + delay - SLACK_S }, {})
  left = Sidekiq::ScheduledSet.new.map { |job| job.args[0] }
  check("still to come", left.sort, (1..round).map { |each| "far:#{each}" })
  delays.keys
end

# The time of a retry is some 15 seconds off; it is set to now, and the script finds it.
def retries
  Failing.perform_async("twice", 2)
  Failing.perform_async("always", 9)
  failures = 0
  wait_until("all ended") do
    Sidekiq::RetrySet.new.each do |job|
      failures = [failures, job["retry_count"] + 1].max
      job.reschedule(Time.now.to_f) if job.at > Time.now + 1
    end
    times("twice").size >= 3 && Sidekiq::DeadSet.new.size == 1
  end
  check("tries", [times("twice").size, times("always").size, failures], [3, 4, 3])
  check("left to retry", Sidekiq::RetrySet.new.size, 0)
  dead = Sidekiq::DeadSet.new.first
  check("dead", [dead.klass, dead["error_message"], dead["retry_count"]], ["Failing", "failure 4", 3])
  checked("failed jobs are tried as often as they may, and die then")
end

def counted(scheduled)
  done = 50 + 400 + scheduled.size + 3 + 4
  wait_until("counted") { Sidekiq::Stats.new.processed >= done }
  stats = Sidekiq::Stats.new
  check("counts", [stats.processed, stats.failed], [done, 2 + 4])
  check("each once", scheduled.map { |name| times(name).size }.uniq, [1])
  checked("what was done and what failed has been counted")
end

def stopped(workers)
  Endless.perform_async("endless")
  holder = wait_until("it has started") { REDIS.lindex("endless", 0) }.to_i
  # The other ends first: it must not take the job when it comes back.
  stop_workers(workers - [holder])
  stop_workers([holder])
  check("given back", Sidekiq::Queue.new.map { |job| [job.klass, job.args] }, [["Endless", ["endless"]]])
  check("no process", Sidekiq::ProcessSet.new.size, 0)
  checked("a job that does not end goes back to its queue, once")
end

run(REDIS, Sidekiq::VERSION, 120) do
  order
  # Idle threads wait 2 s for jobs, and must have given that up before the job that does not end comes back.
  workers = Array.new(2) { start("-c", "5", "-t", "5") }
  wait_until("they are there") { Sidekiq::ProcessSet.new.size == 2 }
  many
  names = scheduled(1)
  REDIS.script(:flush)
  names += scheduled(2)
  checked("two times 40 scheduled jobs, each once, none early, after SCRIPT FLUSH, too")
  retries
  counted(names)
  stopped(workers)
end

# The jobs of sidekiq_app.rb, done by its worker processes; each notes at the server that it ran.

require "sidekiq"

# Redis tells of what redis-rb 5 will do otherwise.
Redis.silence_deprecations = true
Sidekiq.options[:poll_interval_average] = 1

def note(list, value)
  Sidekiq.redis { |redis| redis.rpush(list, value) }
end

class Numbered
  include Sidekiq::Worker

  def perform(number)
    note("numbered", number)
  end
end

class Timed
  include Sidekiq::Worker

  def perform(name)
    note("times:#{name}", Time.now.to_f)
  end
end

class Failing
  include Sidekiq::Worker
  sidekiq_options retry: 3

  def perform(name, failures)
    tries = note("times:#{name}", Time.now.to_f)
    raise ArgumentError, "failure #{tries}" if tries <= failures
  end
end

class Endless
  include Sidekiq::Worker

  def perform(_name)
    note("endless", Process.pid)
    sleep 600
  end
end

#!/usr/bin/env python3
"""Stock limits and Flask-Limiter against a server: `limits_app.py HOST PORT`. Empties that server."""

import time

import flask
import flask_limiter
import limits
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from shared import SLACK, URL, at_once, check, checked, run, until

STRATEGIES = {
    "fixed-window": FixedWindowRateLimiter,
    "moving-window": MovingWindowRateLimiter,
    "sliding-window-counter": SlidingWindowCounterRateLimiter,
}


def exact(r):
    for name, strategy in STRATEGIES.items():
        limit = limits.parse("123 per hour")
        limiters = [strategy(RedisStorage(URL)) for _ in range(8)]
        hits = at_once(8, lambda index: [limiters[index].hit(limit, "all", name) for _ in range(50)])
        check(f"{name}: let through", sum(sum(hits, [])), 123)
        check(f"{name}: left", limiters[0].get_window_stats(limit, "all", name).remaining, 0)
        check(f"{name}: another", limiters[0].hit(limit, "other", name, cost=100), True)
        check(f"{name}: its rest", limiters[1].get_window_stats(limit, "other", name).remaining, 23)
        over = [limiters[2].test(limit, "other", name, cost=cost) for cost in (23, 24)]
        check(f"{name}: would it", over, [True, False])
        # Fixed windows count what they refuse, too.
        last = [limiters[3].hit(limit, "other", name, cost=cost) for cost in (23, 1)]
        check(f"{name}: the rest", last, [True, False])
        limiters[4].clear(limit, "other", name)
        check(f"{name}: cleared", limiters[5].get_window_stats(limit, "other", name).remaining, 123)
        checked(f"{name}: 123 of 400 hits by 8 at once, costs, clearing")


def let_through(limiter, limit, key, count):
    """Hits until `count` were let through: for each of those the time before and after."""
    times = []

    def hit():
        before = time.time()
        if limiter.hit(limit, key):
            times.append((before, time.time()))
        return len(times) >= count

    until(f"{count} hits", hit)
    return times


def windows(r):
    limit = limits.parse("4 per 1 second")
    times = let_through(FixedWindowRateLimiter(RedisStorage(URL)), limit, "fixed", 9)
    for window in (1, 2):
        # The first of a window cannot come before the windows before it are over.
        check("fixed windows", times[4 * window][1] - times[0][0] >= window - SLACK, True)
    checked("fixed windows: no more than 4 in each second")
    times = let_through(MovingWindowRateLimiter(RedisStorage(URL)), limit, "moving", 9)
    for index in range(5):
        check("moving windows", times[index + 4][1] - times[index][0] >= 1, True)
    checked("moving windows: no more than 4 in any second")


def sliding(r):
    storage = RedisStorage(URL)
    limiter = SlidingWindowCounterRateLimiter(storage)
    limit = limits.parse("10 per 5 second")
    seconds = limit.get_expiry()

    def watched(name):
        """Whether it let some through and refused some behind a full window; not if too little of that was seen."""
        key = limit.key_for(name)
        begun = time.monotonic()
        hits = [limiter.hit(limit, name) for _ in range(11)]
        last = time.monotonic()
        if last - begun >= seconds:
            return False
        check("a full window", hits, [True] * 10 + [False])
        while storage.get_sliding_window(key, seconds)[0] != 10:
            if last - begun > 2 * seconds:
                return False
            time.sleep(0.02)
            last = time.monotonic()
        let, refused, left = 0, 0, seconds
        while True:
            asked = time.monotonic()
            before = storage.get_sliding_window(key, seconds)
            hit = limiter.hit(limit, name)
            after = storage.get_sliding_window(key, seconds)
            if not left >= before[1] >= after[1] or time.monotonic() - last >= seconds:
                return let > 0 and refused > 0  # The next window has begun.
            left, last = after[1], asked
            # What is left of the time of the window before counts with its part of that window's hits.
            most, least = (int(10 * time_left / seconds) + before[2] for time_left in (before[1], after[1]))
            check("a hit too many", hit and least + 1 > 10, False)
            check("a hit refused that may be", not hit and most + 1 <= 10, False)
            check("counted", after[2] - before[2], int(hit))
            let, refused = let + hit, refused + (not hit)
            time.sleep(0.02)

    # A window may be over before this process gets time to look at it: then another one.
    check("some let through", any(watched(f"sliding:{number}") for number in range(4)), True)
    checked("sliding windows: the window before counts by its part")


def large(r):
    storage = RedisStorage(URL)
    limiter = MovingWindowRateLimiter(storage)
    limit = limits.parse("20000 per hour")
    check("hit", limiter.hit(limit, "large", cost=12_000), True)
    check("too much", limiter.hit(limit, "large", cost=8_001), False)
    check("the rest", (limiter.hit(limit, "large", cost=8_000), limiter.hit(limit, "large")), (True, False))
    check("left", limiter.get_window_stats(limit, "large").remaining, 0)
    r.set("not-a-limit", 1)
    keys = len(list(r.scan_iter("LIMITS*", count=1000)))
    check("reset", (keys > 0, storage.reset()), (True, keys))
    check("what is left", r.keys("*"), ["not-a-limit"])
    fixed = FixedWindowRateLimiter(storage)
    check("many keys", {fixed.hit(limit, str(index)) for index in range(6000)}, {True})
    check("reset of many", (storage.reset(), r.dbsize()), (6000, 1))
    checked("a hit of 12000, a reset of 6000 keys that the script finds itself")


def forgotten(r):
    storage = RedisStorage(URL)
    limit = limits.parse("5 per hour")
    for name, strategy in STRATEGIES.items():
        limiter = strategy(storage)
        got = []
        for _ in range(6):
            r.script_flush()
            got.append(limiter.hit(limit, name))
            r.script_flush()
            limiter.get_window_stats(limit, name)
        check(f"{name}: after SCRIPT FLUSH", got, [True] * 5 + [False])
    r.script_flush()
    check("reset after SCRIPT FLUSH", storage.reset(), 3)
    checked("all strategies go on after SCRIPT FLUSH")


def site(strategy):
    app = flask.Flask("site")
    limiter = flask_limiter.Limiter(
        lambda: flask.request.headers["X-User"],
        app=app,
        storage_uri=URL,
        strategy=strategy,
        headers_enabled=True,
        default_limits=["50 per hour"],
        key_prefix=strategy,
    )

    @app.get("/plain")
    def plain():
        return "fine"

    @app.get("/few")
    @limiter.limit("7 per hour; 100 per day")
    def few():
        return "fine"

    @app.get("/free")
    @limiter.exempt
    def free():
        return "fine"

    return app


def flask_sites(r):
    for strategy in STRATEGIES:
        sites = [site(strategy) for _ in range(4)]

        def ask(index, path, count, user):
            client = sites[index].test_client()
            return [client.get(path, headers={"X-User": user}) for _ in range(count)]

        answers = sum(at_once(4, lambda index: ask(index, "/few", 5, "ann")), [])
        codes = sorted(answer.status_code for answer in answers)
        check(f"{strategy}: codes", codes, [200] * 7 + [429] * 13)
        left = sorted(int(answer.headers["X-RateLimit-Remaining"]) for answer in answers if answer.status_code == 200)
        check(f"{strategy}: headers", (left[0], set(left) <= set(range(7))), (0, True))
        check(f"{strategy}: another user", ask(0, "/few", 1, "bob")[0].headers["X-RateLimit-Remaining"], "6")
        answers = sum(at_once(4, lambda index: ask(index, "/plain", 20, "ann")), [])
        codes = sorted(answer.status_code for answer in answers)
        check(f"{strategy}: by default", codes, [200] * 50 + [429] * 30)
        r.script_flush()
        check(f"{strategy}: still", [ask(index, "/plain", 1, "ann")[0].status_code for index in (0, 1)], [429, 429])
        check(f"{strategy}: free", {answer.status_code for answer in ask(3, "/free", 60, "ann")}, {200})
    checked("Flask-Limiter: 4 sites with one limit, in all strategies")


run("limits", 150, exact, windows, sliding, large, forgotten, flask_sites)

#!/usr/bin/env python3
"""Stock Django with its cache and sessions at a server: `django_app.py HOST PORT`. Empties that server.

The cache by django-redis and by Django itself; a site whose pages and sessions are in the cache.
"""

import datetime
import uuid

import django
from django.conf import settings

from shared import URL, at_once, check, checked, raises, run, until

REDIS = "django_redis.cache.RedisCache"
settings.configure(
    SECRET_KEY="not secret",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    SESSION_COOKIE_AGE=1000,
    CACHES={
        "default": {"BACKEND": REDIS, "LOCATION": f"{URL}/1", "KEY_PREFIX": "site"},
        "packed": {
            "BACKEND": REDIS,
            "LOCATION": f"{URL}/2",
            "OPTIONS": {
                "COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor",
                "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            },
        },
        "django": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": f"{URL}/3"},
    },
)
django.setup()

from django.contrib.sessions.backends.cache import SessionStore  # noqa: E402: it reads the settings
from django.core.cache import caches  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.cache import cache_page  # noqa: E402

built = []


@cache_page(60)
def page(request, number):
    built.append(number)
    return JsonResponse({"page": number})


def visit(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JsonResponse({"visits": request.session["visits"]})


def login(request):
    """As a login does it: what the session holds goes on under another name."""
    request.session.cycle_key()
    request.session["user"] = request.GET["user"]
    return JsonResponse({"user": request.GET["user"]})


def logout(request):
    request.session.flush()
    return JsonResponse({})


urlpatterns = [path("page/<int:number>", page), path("visit", visit), path("login", login), path("logout", logout)]


def cache_of(name):
    cache = caches[name]
    values = {
        "text": "héllo\0" * 1000,
        "nested": {"a": [1, 2.5, None, True], "b": {"c": "d"}},
        "negative": -5,
        "none": None,
    }
    if name != "packed":
        values["time"] = datetime.datetime(2026, 1, 2, 3, 4, 5)
        values["bytes"] = bytes(range(256))
    check("stored", cache.set_many(values, timeout=60) or [], [])
    check("read", cache.get_many([*values, "missing"]), values)
    check("one by one", {key: cache.get(key, "default") for key in values}, values)
    check("default", cache.get("missing", "default"), "default")
    check("has", ("text" in cache, "missing" in cache), (True, False))
    check("added", (cache.add("text", 1), cache.add("new", 1), cache.get("new")), (False, True, 1))
    check("one adds", sum(at_once(10, lambda index: cache.add("lock", index, timeout=60))), 1)
    cache.set("counter", 0)
    at_once(8, lambda _: [cache.incr("counter", 2) for _ in range(25)])
    check("counted", (cache.get("counter"), cache.decr("counter", 10)), (400, 390))
    raises(ValueError, "Key ", lambda: cache.incr("missing"))
    check("made once", cache.get_or_set("made", lambda: "value"), "value")
    check("not again", cache.get_or_set("made", lambda: "other"), "value")
    cache.set("version", "two", version=2)
    check("versions", (cache.get("version"), cache.get("version", version=2)), (None, "two"))
    cache.incr_version("version", version=2)
    check("a later one", (cache.get("version", version=2), cache.get("version", version=3)), (None, "two"))
    cache.set("short", 1, timeout=5)
    cache.set("touched", 1, timeout=5)
    check("touched", (cache.touch("touched", 60), cache.touch("missing", 60)), (True, False))
    until("it has ended", lambda: cache.get("short") is None, 30)
    check("it has not", cache.get("touched"), 1)
    check("deleted", (cache.delete("text"), cache.delete("text")), (True, False))
    cache.delete_many(["nested", "negative"])
    check("left", sorted(cache.get_many(["nested", "negative", "made"])), ["made"])
    cache.clear()
    check("cleared", cache.get("made"), None)


def caching(r):
    for name in caches.settings:
        cache_of(name)
    checked("values of all kinds in three caches: versions, counters of 8 at once, ends of time")


def redis_only(r):
    cache = caches["default"]
    cache.set("bounded", 1, timeout=100)
    cache.set("for ever", 1, timeout=None)
    check("times", (90 < cache.ttl("bounded") <= 100, cache.ttl("for ever"), cache.ttl("missing")), (True, None, 0))
    check("milliseconds", 90_000 < cache.pttl("bounded") <= 100_000, True)
    check("persisted", (cache.persist("bounded"), cache.ttl("bounded")), (True, None))
    cache.set_many({f"user:{number}": number for number in range(500)})
    check("found", len(cache.keys("user:*")), 500)
    check("scanned", sorted(cache.iter_keys("user:1?")), [f"user:{number}" for number in range(10, 20)])
    check("deleted", (cache.delete_pattern("user:*", itersize=50), cache.keys("*user*")), (500, []))
    check("the others", cache.get("for ever"), 1)

    def turn(_):
        for _ in range(5):
            with cache.lock("turns:lock", timeout=60, sleep=0.005):
                cache.set("turns", cache.get("turns", 0) + 1)

    at_once(6, turn)
    check("turns", cache.get("turns"), 30)
    once = [bool(cache.set("once", number, nx=True)) for number in (1, 2)]
    check("set once", (once, cache.get("once")), ([True, False], 1))
    checked("times, patterns of keys, and a lock that 6 take in turn")


def pages(r):
    answers = [Client().get(f"/page/{number}").json() for _ in range(5) for number in range(8)]
    check("pages", answers, [{"page": number} for number in range(8)] * 5)
    check("built once", sorted(built), list(range(8)))
    caches["default"].clear()
    Client().get("/page/3")
    check("built again", built[8:], [3])
    checked("40 requests for pages that are built once, and again when the cache is cleared")


def sessions(r):
    def visitor(index):
        client = Client()
        seen = [client.get("/visit").json()["visits"] for _ in range(20)]
        before = client.cookies["sessionid"].value
        client.get("/login", {"user": f"user {index}"})
        after = client.cookies["sessionid"].value
        seen += [client.get("/visit").json()["visits"] for _ in range(5)]
        session = SessionStore(after)
        check("of the user", (session["user"], session["visits"]), (f"user {index}", 25))
        check("another name", (before != after, SessionStore().exists(before)), (True, False))
        return client, seen, after

    visitors = at_once(8, visitor)
    check("visits", [seen for _, seen, _ in visitors], [list(range(1, 26))] * 8)
    keys = list(visitors[0][0].session.keys())
    check("session", sorted(keys), ["user", "visits"])
    times = [caches["default"].ttl("django.contrib.sessions.cache" + key) for _, _, key in visitors]
    check("their time", [900 < each <= 1000 for each in times], [True] * 8)
    client, _, key = visitors[0]
    client.get("/logout")
    check("gone", (SessionStore().exists(key), client.get("/visit").json()), (False, {"visits": 1}))
    forged = Client()
    forged.cookies["sessionid"] = uuid.uuid4().hex
    check("forged", forged.get("/visit").json(), {"visits": 1})
    short = SessionStore()
    short["a"] = 1
    short.set_expiry(5)
    short.save()
    check("there", SessionStore(short.session_key).load(), {"a": 1, "_session_expiry": 5})
    until("over", lambda: SessionStore(short.session_key).load() == {}, 30)
    checked("sessions of 8 visitors, 25 visits each, logins and logouts, ends of time")


run("django-redis", 60, caching, redis_only, pages, sessions, uses=("get", "mget"))

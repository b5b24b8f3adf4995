#!/usr/bin/env python3
"""Stock channels_redis, two servers of each of its layers: `channels_app.py HOST PORT`. Empties that server."""

import asyncio
import collections
import logging
import time

from channels.exceptions import ChannelFull
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

from shared import SLACK, URL, check, checked, run

WAIT = 20
# It waits as long as redis-py would wait for an answer.
SERVER = {"address": URL, "socket_timeout": 60}


seen = collections.defaultdict(set)


async def receive_new(layer, channel, seconds):
    """The next message that has not come yet: those of the layer of lists may come again, if another reads at once."""
    while True:
        message = await asyncio.wait_for(layer.receive(channel), seconds)
        if message["n"] not in seen[channel]:
            seen[channel].add(message["n"])
            return message


async def receive(layer, channel, count):
    return [(await receive_new(layer, channel, WAIT))["n"] for _ in range(count)]


async def nothing(layer, channel):
    try:
        raise AssertionError(f"more at {channel}: {await receive_new(layer, channel, 0.3)}")
    except asyncio.TimeoutError:
        pass


def say(number):
    return {"type": "said", "n": number}


async def direct(here, there):
    """From one server to channels of the other."""
    channels = [await there.new_channel() for _ in range(5)]
    reading = [asyncio.create_task(receive(there, each, 40)) for each in channels]
    for number in range(40):
        await asyncio.gather(*(here.send(each, say(number)) for each in channels))
    check("in order", await asyncio.gather(*reading), [list(range(40))] * 5)
    message = {"type": "said", "n": 40, "nested": {"a": [1, 2.5, None, True]}, "bytes": b"\0\xff", "text": "héllo"}
    await here.send(channels[0], message)
    check("as it was sent", await receive_new(there, channels[0], WAIT), message)


async def rooms(here, there):
    members = [(layer, await layer.new_channel()) for layer in (here, there) for _ in range(5)]
    for layer, channel in members:
        await layer.group_add("all", channel)
    for layer, channel in members[::2]:
        await layer.group_add("even", channel)
    for number in range(40):
        await (here, there)[number % 2].group_send("all", say(number))
        if number % 4 == 0:
            await here.group_send("even", say(number + 1000))
    for index, (layer, channel) in enumerate(members):
        # What comes to it of two groups comes from two servers: each of these is in order.
        wanted = 40 + 10 * (index % 2 == 0)
        got = await receive(layer, channel, wanted)
        check("each once", sorted(got), sorted([*range(40), *(range(1000, 1040, 4) if index % 2 == 0 else ())]))
        for odd in (0, 1):
            mine = [number for number in got if number < 1000 and number % 2 == odd]
            check("in order", mine, sorted(mine))
    layer, channel = members[0]
    await layer.group_discard("all", channel)
    await there.group_send("all", say(50))
    check("the others", [await receive(*each, 1) for each in members[1:]], [[50]] * 9)
    await there.group_send("even", say(60))
    check("only of the other", await receive(layer, channel, 1), [60])


async def queues(here, there):
    """What the layer of lists promises beyond: what is sent waits, no more than a channel may hold, and ends."""
    for number in range(10):
        await here.send("waiting", say(number))
    check("it waited", await receive(there, "waiting", 10), list(range(10)))
    for number in range(here.capacity):
        await here.send("full", say(number))
    try:
        await here.send("full", say(-1))
        raise AssertionError("more than a channel may hold")
    except ChannelFull:
        check("what it holds", await receive(there, "full", here.capacity), list(range(here.capacity)))
    full, free = await here.new_channel(), await there.new_channel()
    await here.group_add("mixed", full)
    await there.group_add("mixed", free)
    for number in range(here.capacity + 5):
        await there.group_send("mixed", say(number))
        check("the free one", await receive(there, free, 1), [number])
    check("the full one", await receive(here, full, here.capacity), list(range(here.capacity)))
    await nothing(here, full)
    reading = [asyncio.create_task(receive(layer, "work", 10)) for layer in (here, there) for _ in range(4)]
    for number in range(80):
        await here.send("work", say(number))
    check("all came", sorted(sum(await asyncio.gather(*reading), [])), list(range(80)))
    short = RedisChannelLayer(hosts=[SERVER], prefix="short", expiry=1)
    start = time.time()
    await short.send("ends", say(1))
    while await short.connection(0).exists("shortends"):
        await asyncio.sleep(0.05)
    check("ended in time", 1 - SLACK <= time.time() - start < WAIT, True)
    await nothing(short, "ends")
    await short.close_pools()


async def both(make, sections):
    here, there = make(), make()
    for section in sections:
        await section(here, there)
    await here.flush()
    for layer in (here, there):
        await (layer.close_pools if hasattr(layer, "close_pools") else layer.flush)()


def lists(_):
    asyncio.run(both(lambda: RedisChannelLayer(hosts=[SERVER], capacity=300), (direct, rooms, queues)))
    checked("the layer of lists: channels, groups of two servers, capacity, expiry, 8 that wait at one channel")


def published(r):
    async def killed(here, there):
        """The connections on which it listens are killed: it subscribes again by itself."""
        channel = await there.new_channel()
        await there.group_add("after", channel)

        def listening():
            return {client["id"] for client in r.client_list(_type="pubsub")}

        before = listening()
        check("killed", r.client_kill_filter(_type="pubsub") >= 1, True)
        end = time.monotonic() + WAIT
        # What was killed may be counted a little longer: there are to be as many others.
        while len(listening() - before) < len(before) or len(r.pubsub_channels("*after*")) != 1:
            check("subscribed in time", time.monotonic() < end, True)
            await asyncio.sleep(0.02)
        await here.group_send("after", say(5))
        check("after a reconnection", await receive(there, channel, 1), [5])

    # It tells of its lost connection.
    logging.disable()
    asyncio.run(both(lambda: RedisPubSubChannelLayer(hosts=[SERVER]), (direct, rooms, killed)))
    checked("the layer of publish and subscribe: channels, groups of two servers, killed connections")


run("channels_redis", 150, lists, published, uses=("eval", "publish"))

/* Debian's hiredis, its blocking and its asynchronous side (libevent), against a server: `hiredis_app HOST PORT`.
 * Empties that server. That version of hiredis reads RESP2 only.
 *
 * Deadlines only guard against hanging; what is checked does not depend on the machine's speed.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <hiredis/adapters/libevent.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#define SECONDS 60
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *host;
static int port;

static void fail(const char *what, const char *got) {
    fprintf(stderr, "hiredis: %s: got %s\n", what, got ? got : "nothing");
    exit(1);
}

static void check_number(const char *what, long long got, long long wanted) {
    if (got != wanted) {
        fprintf(stderr, "hiredis: %s: wanted %lld, got %lld\n", what, wanted, got);
        exit(1);
    }
}

static void check_text(const char *what, const redisReply *reply, int type, const char *wanted) {
    check_number(what, reply->type, type);
    if (reply->len != strlen(wanted) || memcmp(reply->str, wanted, reply->len)) {
        fail(what, reply->str);
    }
}

static void checked(const char *what) {
    printf("hiredis: %s\n", what);
    fflush(stdout);
}

static redisContext *connected(void) {
    struct timeval limit = {SECONDS, 0};
    redisContext *context = redisConnectWithTimeout(host, port, limit);
    if (!context || context->err || redisSetTimeout(context, limit) != REDIS_OK) {
        fail("connection", context ? context->errstr : NULL);
    }
    return context;
}

/* The reply of a command that must have one. */
static redisReply *ask(redisContext *context, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(context, format, arguments);
    va_end(arguments);
    if (!reply) {
        fail(format, context->errstr);
    }
    return reply;
}

static void expect_number(redisContext *context, long long wanted, const char *command) {
    redisReply *reply = ask(context, command);
    check_number(command, reply->type, REDIS_REPLY_INTEGER);
    check_number(command, reply->integer, wanted);
    freeReplyObject(reply);
}

static void expect_text(redisContext *context, int type, const char *wanted, const char *command) {
    redisReply *reply = ask(context, command);
    check_text(command, reply, type, wanted);
    freeReplyObject(reply);
}

static void kinds(redisContext *context) {
    expect_text(context, REDIS_REPLY_STATUS, "OK", "SET text hello");
    expect_text(context, REDIS_REPLY_STRING, "hello", "GET text");
    expect_number(context, 5, "STRLEN text");
    expect_text(context, REDIS_REPLY_ERROR, "WRONGTYPE Operation against a key holding the wrong kind of value",
                "LPUSH text a");
    expect_text(context, REDIS_REPLY_ERROR, "NOPROTO unsupported protocol version", "HELLO 9");
    redisReply *reply = ask(context, "GET nothing");
    check_number("nil", reply->type, REDIS_REPLY_NIL);
    freeReplyObject(reply);
    reply = ask(context, "SET %b %b", "a\0b", (size_t)3, "\r\n\0", (size_t)3);
    freeReplyObject(reply);
    reply = ask(context, "GET %b", "a\0b", (size_t)3);
    check_number("bytes", reply->len == 3 && !memcmp(reply->str, "\r\n\0", 3), 1);
    freeReplyObject(reply);
    reply = ask(context, "HELLO 2 SETNAME tester");
    check_number("HELLO", reply->type, REDIS_REPLY_ARRAY);
    check_text("HELLO", reply->element[4], REDIS_REPLY_STRING, "proto");
    check_number("HELLO", reply->element[5]->integer, 2);
    freeReplyObject(reply);
    expect_text(context, REDIS_REPLY_STRING, "tester", "CLIENT GETNAME");
    reply = ask(context, "EVAL %s 1 k", "return {1, {'a', false}, redis.status_reply('fine'), redis.error_reply('bad')}");
    check_number("nested", reply->elements, 4);
    check_text("nested", reply->element[1]->element[0], REDIS_REPLY_STRING, "a");
    check_number("nested", reply->element[1]->element[1]->type, REDIS_REPLY_NIL);
    check_text("nested", reply->element[2], REDIS_REPLY_STATUS, "fine");
    check_number("nested", reply->element[3]->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    checked("each kind of reply, bytes, errors, HELLO");
}

static void pipelines(redisContext *context) {
    enum { MANY = 20000 };
    redisReply *reply;
    for (int index = 0; index < MANY; index++) {
        redisAppendCommand(context, "SET key:%d %d", index, index * 3);
        redisAppendCommand(context, "GET key:%d", index);
        redisAppendCommand(context, "INCRBY sum %d", index);
    }
    for (long long index = 0, sum = 0; index < MANY; index++) {
        char wanted[32];
        for (int part = 0; part < 3; part++) {
            if (redisGetReply(context, (void **)&reply) != REDIS_OK) {
                fail("pipeline", context->errstr);
            }
            if (part == 1) {
                snprintf(wanted, sizeof wanted, "%lld", index * 3);
                check_text("pipeline", reply, REDIS_REPLY_STRING, wanted);
            } else if (part == 2) {
                check_number("pipeline", reply->integer, sum += index);
            }
            freeReplyObject(reply);
        }
    }
    const char *transaction[] = {"MULTI", "INCR once", "LPUSH once a", "INCR once"};
    for (size_t index = 0; index < COUNT(transaction); index++) {
        freeReplyObject(ask(context, transaction[index]));
    }
    reply = ask(context, "EXEC");
    check_number("EXEC", reply->elements, 3);
    check_number("EXEC", reply->element[1]->type, REDIS_REPLY_ERROR);
    check_number("EXEC", reply->element[2]->integer, 2);
    freeReplyObject(reply);
    checked("60,000 commands in one pipeline, a transaction");
}

static void large(redisContext *context) {
    const size_t bytes = 32 << 20;
    const long long items = 200000;
    char *value = malloc(bytes);
    for (size_t index = 0; index < bytes; index++) {
        value[index] = (char)(index * 31 + (index >> 8));
    }
    freeReplyObject(ask(context, "SET large %b", value, bytes));
    redisReply *reply = ask(context, "GET large");
    check_number("its bytes", reply->len == bytes && !memcmp(reply->str, value, bytes), 1);
    freeReplyObject(reply);
    free(value);
    freeReplyObject(ask(context, "EVAL %s 1 list %lld", "for i = 1, ARGV[1] do redis.call('RPUSH', KEYS[1], i) end",
                        items));
    reply = ask(context, "LRANGE list 0 -1");
    check_number("items", reply->elements, items);
    for (long long index = 0; index < items; index++) {
        check_number("item", atoll(reply->element[index]->str), index + 1);
    }
    freeReplyObject(reply);
    checked("a value of 32 MiB, a reply of 200,000 items");
}

/* What the asynchronous side has seen. */
struct seen {
    struct event_base *base;
    redisAsyncContext *publisher;
    long long replies, messages, gone;
};

enum { ASYNC = 10000, MESSAGES = 1000 };

static void on_gone(const redisAsyncContext *context, int status) {
    struct seen *seen = context->data;
    check_number("disconnected", status, REDIS_OK);
    seen->gone++;
}

static redisAsyncContext *async_connected(struct seen *seen) {
    redisAsyncContext *context = redisAsyncConnect(host, port);
    if (!context || context->err || redisLibeventAttach(context, seen->base) != REDIS_OK) {
        fail("asynchronous connection", context ? context->errstr : NULL);
    }
    context->data = seen;
    redisAsyncSetDisconnectCallback(context, on_gone);
    return context;
}

static void on_number(redisAsyncContext *context, void *got, void *data) {
    struct seen *seen = data;
    redisReply *reply = got;
    check_number("asynchronous reply", reply ? reply->integer : -1, ++seen->replies);
    if (seen->replies == ASYNC) {
        redisAsyncDisconnect(context);
    }
}

static void publish(struct seen *seen) {
    for (int index = 0; index < MESSAGES; index++) {
        redisAsyncCommand(seen->publisher, NULL, NULL, "PUBLISH news:%d %d", index % 2, index);
    }
    redisAsyncDisconnect(seen->publisher);
}

/* Messages come by two ways each: `news:1` and `news:*` are subscribed to, so that odd ones are seen twice. */
static void on_message(redisAsyncContext *context, void *got, void *data) {
    struct seen *seen = data;
    redisReply *reply = got;
    if (!reply) {
        return;
    }
    const char *kind = reply->element[0]->str;
    if (!strcmp(kind, "psubscribe")) {
        check_number("subscriptions", reply->element[2]->integer, 2);
        publish(seen);
    } else if (!strcmp(kind, "message")) {
        check_number("odd", atoi(reply->element[2]->str) % 2, 1);
        seen->messages++;
    } else if (!strcmp(kind, "pmessage")) {
        check_text("pattern", reply->element[1], REDIS_REPLY_STRING, "news:*");
        seen->messages++;
        if (atoi(reply->element[3]->str) == MESSAGES - 1) {
            /* Its other copy may come behind it. */
            redisAsyncCommand(context, NULL, NULL, "UNSUBSCRIBE");
            redisAsyncCommand(context, NULL, NULL, "PUNSUBSCRIBE");
            redisAsyncDisconnect(context);
        }
    }
}

static void asynchronous(void) {
    struct seen seen = {.base = event_base_new()};
    redisAsyncContext *counter = async_connected(&seen), *subscriber = async_connected(&seen);
    seen.publisher = async_connected(&seen);
    for (int index = 0; index < ASYNC; index++) {
        redisAsyncCommand(counter, on_number, &seen, "INCR async");
    }
    redisAsyncCommand(subscriber, on_message, &seen, "SUBSCRIBE news:1");
    redisAsyncCommand(subscriber, on_message, &seen, "PSUBSCRIBE news:*");
    event_base_dispatch(seen.base);
    event_base_free(seen.base);
    check_number("asynchronous replies", seen.replies, ASYNC);
    check_number("messages", seen.messages, MESSAGES + MESSAGES / 2);
    check_number("left", seen.gone, 3);
    checked("10,000 asynchronous commands, 1,000 messages to a channel and a pattern");
}

int main(int count, char **arguments) {
    if (count != 3) {
        fail("HOST PORT", "something else");
    }
    host = arguments[1];
    port = atoi(arguments[2]);
    alarm(SECONDS);
    redisContext *context = connected();
    expect_text(context, REDIS_REPLY_STATUS, "OK", "FLUSHALL");
    kinds(context);
    pipelines(context);
    large(context);
    asynchronous();
    expect_text(context, REDIS_REPLY_STATUS, "OK", "FLUSHALL");
    redisFree(context);
    printf("hiredis %d.%d.%d: ok\n", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
    return 0;
}

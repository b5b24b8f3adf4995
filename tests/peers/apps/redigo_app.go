// Debian's redigo against a server: `redigo_app HOST PORT`. Empties that server.
//
// Deadlines only guard against hanging; what is checked does not depend on the machine's speed.
package main

import (
	"bytes"
	"fmt"
	"log"
	"net"
	"os"
	"reflect"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"
)

const deadline = 60 * time.Second

var pool = &redis.Pool{
	MaxIdle: 8, MaxActive: 8, Wait: true,
	Dial:         func() (redis.Conn, error) { return redis.Dial("tcp", address(), redis.DialReadTimeout(deadline)) },
	TestOnBorrow: func(conn redis.Conn, _ time.Time) error { return second(conn.Do("PING")) },
}

func address() string { return net.JoinHostPort(os.Args[1], os.Args[2]) }

func second(_ interface{}, err error) error { return err }

func first(reply interface{}, err error) interface{} {
	must("reply", err)
	return reply
}

func check(what string, got, wanted interface{}) {
	if !reflect.DeepEqual(got, wanted) {
		log.Fatalf("%s: wanted %v, got %v", what, wanted, got)
	}
}

func must(what string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}

func raises(what, wanted string, err error) {
	if err == nil || !strings.HasPrefix(err.Error(), wanted) {
		log.Fatalf("%s: wanted %s, got %v", what, wanted, err)
	}
}

func checked(what string) { fmt.Println("redigo_app:", what) }

func do(conn redis.Conn, command string, arguments ...interface{}) interface{} {
	reply, err := conn.Do(command, arguments...)
	must(command, err)
	return reply
}

func ints(reply interface{}) []int {
	numbers, err := redis.Ints(reply, nil)
	must("numbers", err)
	return numbers
}

// Runs the same work several times at once, each with a connection of its own.
func atOnce(count int, work func(conn redis.Conn)) {
	var all sync.WaitGroup
	for index := 0; index < count; index++ {
		all.Add(1)
		go func() {
			defer all.Done()
			conn := pool.Get()
			defer conn.Close()
			work(conn)
		}()
	}
	all.Wait()
}

func numbers(first, last int) []int {
	var all []int
	for number := first; number <= last; number++ {
		all = append(all, number)
	}
	return all
}

func values(conn redis.Conn) {
	large := bytes.Repeat([]byte("\x00\r\n\xff"), 1<<20)
	check("SET", do(conn, "SET", "a\x00", large, "NX"), "OK")
	check("SET NX", do(conn, "SET", "a\x00", "other", "NX"), nil)
	check("GET", bytes.Equal(do(conn, "GET", "a\x00").([]byte), large), true)
	raises("error", "WRONGTYPE Operation against", second(conn.Do("LPUSH", "a\x00", "x")))
	type person struct {
		Name string  `redis:"name"`
		Age  int     `redis:"age"`
		Size float64 `redis:"size"`
		Here bool    `redis:"here"`
	}
	wanted, got := person{"Zoë", 33, 1.75, true}, person{}
	do(conn, "HSET", redis.Args{}.Add("person").AddFlat(&wanted)...)
	fields, err := redis.Values(conn.Do("HGETALL", "person"))
	must("HGETALL", err)
	must("its fields", redis.ScanStruct(fields, &got))
	check("person", got, wanted)
	do(conn, "ZADD", "zset", 1, "a", 2, "b")
	scores, err := redis.Int64Map(conn.Do("ZRANGE", "zset", 0, -1, "WITHSCORES"))
	must("ZRANGE", err)
	check("scores", scores, map[string]int64{"a": 1, "b": 2})
	do(conn, "GEOADD", "places", 13.361389, 38.115556, "Palermo")
	places, err := redis.Positions(conn.Do("GEOPOS", "places", "Palermo", "Atlantis"))
	must("GEOPOS", err)
	check("places", fmt.Sprintf("%.3f %v", *places[0], places[1]), "[13.361 38.116] <nil>")
	checked("values of 4 MiB, structures in hashes, scores, places")
}

func many(conn redis.Conn) {
	for number := 0; number < 10000; number++ {
		must("SET", conn.Send("SET", fmt.Sprint("many:", number), number))
		must("INCRBY", conn.Send("INCRBY", "sum", number))
	}
	must("flush", conn.Flush())
	for number, sum := 0, 0; number < 10000; number++ {
		sum += number
		text, err := redis.String(conn.Receive())
		must("SET", err)
		check("SET", text, "OK")
		got, err := redis.Int(conn.Receive())
		must("INCRBY", err)
		check("sum", got, sum)
	}
	found := map[string]bool{}
	for cursor := uint64(0); ; {
		var keys []string
		reply, err := redis.Values(conn.Do("SCAN", cursor, "MATCH", "many:*", "COUNT", 700))
		must("SCAN", err)
		must("its reply", second(redis.Scan(reply, &cursor, &keys)))
		for _, key := range keys {
			found[key] = true
		}
		if cursor == 0 {
			break
		}
	}
	check("SCAN", len(found), 10000)
	checked("a pipeline of 20,000 commands, a scan")
}

// Each adds by a transaction that is tried until nobody has come in between.
func transactions(conn redis.Conn) {
	atOnce(4, func(mine redis.Conn) {
		for done := 0; done < 50; {
			do(mine, "WATCH", "watched")
			before, err := redis.Int(mine.Do("GET", "watched"))
			if err != redis.ErrNil {
				must("GET", err)
			}
			mine.Send("MULTI")
			mine.Send("SET", "watched", before+1)
			mine.Send("RPUSH", "log", before+1)
			if do(mine, "EXEC") != nil {
				done++
			}
		}
	})
	check("in order", ints(do(conn, "LRANGE", "log", 0, -1)), numbers(1, 200))
	checked("200 transactions of 4 goroutines that watch the same key")
}

func scripts(conn redis.Conn) {
	script := redis.NewScript(1, "redis.call('INCRBY', KEYS[1], ARGV[1]) return {redis.call('GET', KEYS[1]), 1}")
	for _, wanted := range []int{5, 10} {
		got, err := redis.Ints(script.Do(conn, "counted", 5))
		must("script", err)
		check("script", got, []int{wanted, 1})
		do(conn, "SCRIPT", "FLUSH")
	}
	must("SCRIPT LOAD", script.Load(conn))
	must("EVALSHA", script.SendHash(conn, "counted", 1))
	must("flush", conn.Flush())
	check("EVALSHA", ints(first(conn.Receive())), []int{11, 1})
	checked("scripts, after SCRIPT FLUSH, too")
}

func jobs(conn redis.Conn) {
	go func() {
		feeder := pool.Get()
		defer feeder.Close()
		for number := 1; number <= 603; number++ {
			do(feeder, "RPUSH", "jobs", number)
		}
	}()
	atOnce(3, func(mine redis.Conn) {
		for {
			got, err := redis.Strings(redis.DoWithTimeout(mine, deadline, "BLPOP", "jobs", 30))
			must("BLPOP", err)
			if len(got[1]) == 3 && got[1] > "600" {
				return
			}
			do(mine, "RPUSH", "done", got[1])
		}
	})
	done := ints(do(conn, "LRANGE", "done", 0, -1))
	sort.Ints(done)
	check("each once", done, numbers(1, 600))
	checked("600 jobs of 3 goroutines by blocking lists, each once")
}

func messages(conn redis.Conn) {
	listener, err := redis.Dial("tcp", address())
	must("listener", err)
	defer listener.Close()
	news := redis.PubSubConn{Conn: listener}
	must("SUBSCRIBE", news.Subscribe("news"))
	must("PSUBSCRIBE", news.PSubscribe("news:*"))
	heard, subscribed := map[string][]int{}, 0
	for len(heard[""])+len(heard["news:*"]) < 300 {
		switch got := news.ReceiveWithTimeout(deadline).(type) {
		case error:
			must("messages", got)
		case redis.Subscription:
			if subscribed++; subscribed == 2 {
				for number := 1; number <= 300; number++ {
					do(conn, "PUBLISH", []string{"news", "news:other"}[number%2], number)
				}
			}
		case redis.Message:
			var number int
			fmt.Sscan(string(got.Data), &number)
			heard[got.Pattern] = append(heard[got.Pattern], number)
		}
	}
	for pattern, odd := range map[string]int{"": 0, "news:*": 1} {
		for index, number := range heard[pattern] {
			check("message", number, 2*index+2-odd)
		}
	}
	must("PING", news.Ping("here"))
	check("PONG", news.ReceiveWithTimeout(deadline), redis.Pong{Data: "here"})
	checked("300 messages to a channel and a pattern, in their order")
}

func main() {
	log.SetFlags(0)
	time.AfterFunc(deadline, func() { log.Fatal("no end in time") })
	conn := pool.Get()
	do(conn, "FLUSHALL")
	values(conn)
	many(conn)
	transactions(conn)
	scripts(conn)
	jobs(conn)
	messages(conn)
	do(conn, "FLUSHALL")
	fmt.Println("redigo: ok")
}

// usage: bench SOCKET JOBS PAYLOAD RESULT
//
// The full life of JOBS tasks in asynq: added by 16 goroutines one by one (it has no bulk call), done
// by four servers with 16 at once each. Prints the seconds that adding and doing took.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
)

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		log.Fatal(err)
	}
	return n
}

func add(redis asynq.RedisClientOpt, jobs int, payload []byte) {
	client := asynq.NewClient(redis)
	defer client.Close()
	var left atomic.Int64
	left.Store(int64(jobs))
	var all sync.WaitGroup
	for range 16 {
		all.Add(1)
		go func() {
			defer all.Done()
			for left.Add(-1) >= 0 {
				task := asynq.NewTask("job", payload)
				// As ours: results are kept for an hour, failures are tried again.
				_, err := client.Enqueue(task, asynq.Retention(time.Hour), asynq.MaxRetry(5))
				if err != nil {
					log.Fatal(err)
				}
			}
		}()
	}
	all.Wait()
}

func work(redis asynq.RedisClientOpt, jobs int, result []byte) {
	var done atomic.Int64
	handled := make(chan struct{})
	handle := func(_ context.Context, task *asynq.Task) error {
		if _, err := task.ResultWriter().Write(result); err != nil {
			return err
		}
		if done.Add(1) == int64(jobs) {
			close(handled)
		}
		return nil
	}
	var servers []*asynq.Server
	for range 4 {
		config := asynq.Config{Concurrency: 16, LogLevel: asynq.FatalLevel}
		server := asynq.NewServer(redis, config)
		if err := server.Start(asynq.HandlerFunc(handle)); err != nil {
			log.Fatal(err)
		}
		servers = append(servers, server)
	}
	<-handled
	// Waits for what is being completed.
	for _, server := range servers {
		server.Stop()
	}
	inspector := asynq.NewInspector(redis)
	defer inspector.Close()
	for {
		info, err := inspector.GetQueueInfo("default")
		if err != nil {
			log.Fatal(err)
		}
		if info.Completed == jobs {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func main() {
	redis := asynq.RedisClientOpt{Network: "unix", Addr: os.Args[1]}
	jobs := number(os.Args[2])
	payload := bytes.Repeat([]byte("x"), number(os.Args[3]))
	result := bytes.Repeat([]byte("r"), number(os.Args[4]))
	start := time.Now()
	add(redis, jobs, payload)
	added := time.Since(start)
	work(redis, jobs, result)
	fmt.Println(added.Seconds(), (time.Since(start) - added).Seconds())
}

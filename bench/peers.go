package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/mikestefanello/backlite"
	"github.com/redis/go-redis/v9"
	"maragu.dev/goqite"
	goqitejobs "maragu.dev/goqite/jobs"
)

// asynqQueue is asynq on Redis. It has no call that enqueues many tasks, so asynqCallers goroutines call it
// at once.
type asynqQueue struct {
	redis  *redis.Client
	client *asynq.Client
	server *asynq.Server
	at     string
}

// openAsynq returns a function that opens asynq on an emptied Redis with this value of appendfsync.
func openAsynq(fsync string) func(string, addresses) (queue, error) {
	return func(_ string, at addresses) (queue, error) {
		ctx, q := context.Background(),
			&asynqQueue{redis: redis.NewClient(&redis.Options{Addr: at.Redis}), at: at.Redis}
		err := errors.Join(q.redis.FlushAll(ctx).Err(), q.redis.ConfigSet(ctx, "appendfsync", fsync).Err())
		q.client = asynq.NewClient(asynq.RedisClientOpt{Addr: at.Redis})
		return q, err
	}
}

func (q *asynqQueue) start(workers int, work func()) error {
	q.server = asynq.NewServer(asynq.RedisClientOpt{Addr: q.at}, asynq.Config{
		Concurrency: workers, LogLevel: asynq.FatalLevel, TaskCheckInterval: 5 * time.Millisecond,
	})
	return q.server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { work(); return nil }))
}

// asynqCallers is how many tasks are enqueued at once.
const asynqCallers = 32

func (q *asynqQueue) add(runs int) error {
	var callers sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(runs))
	failed := make(chan error, asynqCallers)
	for range min(asynqCallers, runs) {
		callers.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := q.client.Enqueue(asynq.NewTask("nothing", nil),
					asynq.Retention(time.Hour)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	callers.Wait()
	close(failed)
	return <-failed
}

func (q *asynqQueue) done() (int, error) {
	n, err := q.redis.ZCard(context.Background(), "asynq:{default}:completed").Result()
	return int(n), err
}

func (q *asynqQueue) stop() {
	q.server.Shutdown()
	_ = errors.Join(q.client.Close(), q.redis.Close())
}

// goqiteQueue is goqite on SQLite.
type goqiteQueue struct {
	pool, reader *sql.DB
	queue        *goqite.Queue
	cancel       context.CancelFunc
	ended        sync.WaitGroup
	added        int
}

// openGoqite opens goqite on a new file, with the schema that its module ships.
func openGoqite(dir string, _ addresses) (queue, error) {
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "maragu.dev/goqite").Output()
	if err != nil {
		return nil, err
	}
	schema, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(module)), "schema_sqlite.sql"))
	if err != nil {
		return nil, err
	}
	path := "file:" + filepath.Join(dir, "goqite.db") + "?_journal=WAL&_timeout=5000&_sync=NORMAL&_fk=true"
	pool, err := openOne(path)
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(string(schema)); err != nil {
		return nil, err
	}
	reader, err := openOne(path)
	return &goqiteQueue{pool: pool, reader: reader,
		queue: goqite.New(goqite.NewOpts{DB: pool, Name: "jobs"})}, err
}

func (q *goqiteQueue) start(workers int, work func()) error {
	runner := goqitejobs.NewRunner(goqitejobs.NewRunnerOpts{Limit: workers, Queue: q.queue,
		PollInterval: time.Millisecond})
	runner.Register("nothing", func(context.Context, []byte) error { work(); return nil })
	ctx, cancel := context.WithCancel(context.Background())
	q.cancel = cancel
	q.ended.Go(func() { runner.Start(ctx) })
	return nil
}

func (q *goqiteQueue) add(runs int) error {
	tx, err := q.pool.Begin()
	if err != nil {
		return err
	}
	for range runs {
		if _, err := goqitejobs.CreateTx(context.Background(), tx, q.queue, "nothing",
			goqite.Message{}); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	q.added += runs
	return tx.Commit()
}

// done counts the messages that are no longer there, because goqite deletes them when they are done.
func (q *goqiteQueue) done() (int, error) {
	left, err := counter(q.reader, "SELECT count(*) FROM goqite")()
	return q.added - left, err
}

func (q *goqiteQueue) stop() {
	q.cancel()
	q.ended.Wait()
	_ = errors.Join(q.reader.Close(), q.pool.Close())
}

type backliteTask struct{ N int }

func (backliteTask) Config() backlite.QueueConfig {
	return backlite.QueueConfig{Name: "nothing", MaxAttempts: 1, Timeout: time.Minute,
		Retention: &backlite.Retention{Duration: time.Hour}}
}

// backliteQueue is backlite on SQLite.
type backliteQueue struct {
	pool, reader *sql.DB
	client       *backlite.Client
}

// silent is a backlite logger that discards everything.
type silent struct{}

func (silent) Info(string, ...any)  {}
func (silent) Error(string, ...any) {}

func openBacklite(dir string, _ addresses) (queue, error) {
	path := "file:" + filepath.Join(dir, "backlite.db") + "?_journal=WAL&_timeout=5000&_sync=NORMAL"
	pool, err := sql.Open("sqlite3", path) // without a limit of connections, as in its README
	if err != nil {
		return nil, err
	}
	reader, err := openOne(path)
	return &backliteQueue{pool: pool, reader: reader}, err
}

func (q *backliteQueue) start(workers int, work func()) (err error) {
	q.client, err = backlite.NewClient(backlite.ClientConfig{
		DB: q.pool, Logger: silent{}, NumWorkers: workers, ReleaseAfter: time.Hour,
		CleanupInterval: time.Hour,
	})
	if err != nil {
		return err
	}
	if err := q.client.Install(); err != nil {
		return err
	}
	q.client.Register(backlite.NewQueue[backliteTask](func(context.Context,
		backliteTask) error {
		work()
		return nil
	}))
	q.client.Start(context.Background())
	return nil
}

func (q *backliteQueue) add(runs int) error {
	tasks := make([]backlite.Task, runs)
	for i := range tasks {
		tasks[i] = backliteTask{i}
	}
	_, err := q.client.Add(tasks...).Save()
	return err
}

func (q *backliteQueue) done() (int, error) {
	return counter(q.reader, "SELECT count(*) FROM backlite_tasks_completed")()
}

func (q *backliteQueue) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	q.client.Stop(ctx)
	_ = errors.Join(q.reader.Close(), q.pool.Close())
}

// versions returns a line with the versions of the compared modules.
func versions() string {
	peers := []string{
		"github.com/riverqueue/river", "github.com/hibiken/asynq", "maragu.dev/goqite",
		"github.com/mikestefanello/backlite",
		"github.com/centrifugal/centrifuge", "github.com/olahol/melody", "github.com/lxzan/gws",
		"github.com/mattn/go-sqlite3",
	}
	var found []string
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if slices.Contains(peers, module.Path) {
			found = append(found, fmt.Sprintf("%s %s", filepath.Base(module.Path), module.Version))
		}
	}
	return "\nVersions: " + strings.Join(found, ", ") + ".\n"
}

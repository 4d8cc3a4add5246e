package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"runboard/db/query"
)

// Heartbeat says how nodes tell each other that they are alive. All nodes of a database must agree on it.
// StopAfter must be less than LostAfter by more than it takes to kill a command.
type Heartbeat struct {
	// Every is how often a node says that it is alive. The default is 5 seconds.
	Every time.Duration
	// StopAfter is how long a node may fail to do so before it stops its own work. The default is 15 seconds.
	StopAfter time.Duration
	// LostAfter is how long a node may be silent, by the clock of the database server, before the others start
	// its runs again. The default is 20 seconds.
	LostAfter time.Duration
}

func (h Heartbeat) withDefaults() Heartbeat {
	if h.Every == 0 {
		h.Every = 5 * time.Second
	}
	if h.StopAfter == 0 {
		h.StopAfter = 15 * time.Second
	}
	if h.LostAfter == 0 {
		h.LostAfter = 20 * time.Second
	}
	return h
}

// lookEvery is how often a node looks whether others are lost.
func (h Heartbeat) lookEvery() time.Duration { return h.Every / 5 }

// unchangedFor is how long a node must have seen another one make no sign of life, beside what the server's
// clock says: that clock may have been set, and after an outage all nodes look silent until they have had the
// time to come back.
func (h Heartbeat) unchangedFor() time.Duration { return 2 * h.Every }

const (
	joinNodes = `INSERT INTO nodes (seen_at) VALUES (server_millis()) RETURNING id`
	// A node that others took for lost has no row any more.
	stillAlive = `UPDATE nodes SET seen_at = server_millis() WHERE id = $1`
	aliveAgain = `INSERT INTO nodes (id, seen_at) OVERRIDING SYSTEM VALUE VALUES ($1, server_millis())`
	otherNodes = `SELECT id, seen_at, seen_at < server_millis() - $2 FROM nodes WHERE id <> $1`
	loseNode   = `DELETE FROM nodes WHERE id = $1 AND seen_at = $2`
	leaveNodes = `DELETE FROM nodes WHERE id = $1`
)

// Node implements app.Shared.
func (s *Store) Node() int64 { return s.node }

// pulse is the connection by which a node says that it is alive. It has no other use: a node whose pool is
// exhausted, or whose statements wait for each other, is not lost.
type pulse struct {
	store  *Store
	config *pgx.ConnConfig
	conn   *pgx.Conn // nil when it has to be opened

	beaten time.Duration           // when the last heartbeat was sent
	silent bool                    // it could not be
	looked time.Duration           // when others were looked at last
	seen   map[int64]otherNodeSeen // of others, since when this node has looked without a pause
}

// otherNodeSeen is what is known of another node.
type otherNodeSeen struct {
	at    int64         // its last sign of life, by the server's clock
	since time.Duration // when that was seen first, as uptime tells it
}

// keepAlive says that this node is alive, and looks for others that are not, until ctx ends.
func (s *Store) keepAlive(ctx context.Context, config *pgx.ConnConfig) {
	p := &pulse{store: s, config: config, seen: map[int64]otherNodeSeen{}}
	defer p.close()
	for ctx.Err() == nil {
		if err := p.turn(ctx); ctx.Err() == nil {
			p.note(err)
		}
		query.Pause(ctx, s.options.Heartbeat.lookEvery())
	}
}

// note remembers whether the last turn failed, and logs when that changes.
func (p *pulse) note(err error) {
	if was := p.silent; was != (err != nil) {
		p.silent = err != nil
		if was {
			p.store.options.Log.Info("the heartbeat of this node can be written again", "node", p.store.node)
		} else {
			p.store.options.Log.Warn("the heartbeat of this node cannot be written", "node", p.store.node, "error", err)
		}
	}
	if err != nil {
		p.close()
		clear(p.seen)
		p.beaten = 0
	}
}

// turn writes a heartbeat when it is time, and looks for lost nodes.
func (p *pulse) turn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.store.options.Heartbeat.Every)
	defer cancel()
	if err := p.open(ctx); err != nil {
		return err
	}
	if p.beaten == 0 || uptime()-p.beaten >= p.store.options.Heartbeat.Every {
		if err := p.beat(ctx); err != nil {
			return err
		}
	}
	lost, err := p.lostNodes(ctx)
	if err != nil {
		return err
	}
	for _, node := range lost {
		if err := p.lose(ctx, node); err != nil {
			return err
		}
	}
	return nil
}

func (p *pulse) open(ctx context.Context) (err error) {
	if p.conn == nil {
		p.conn, err = pgx.ConnectConfig(ctx, p.config.Copy())
	}
	return err
}

func (p *pulse) close() {
	if p.conn != nil {
		closeConnWithTimeout(p.conn)
		p.conn = nil
	}
}

// beat writes a heartbeat. It counts from when it was sent: the server has seen it later.
func (p *pulse) beat(ctx context.Context) error {
	sent := uptime()
	alive, err := p.conn.Exec(ctx, stillAlive, p.store.node)
	if err != nil {
		return err
	}
	if alive.RowsAffected() == 0 {
		p.store.lease.lose() // before others can take this node for alive again
		p.store.options.Log.Warn("other nodes took this one for lost", "node", p.store.node)
		if _, err := p.conn.Exec(ctx, aliveAgain, p.store.node); err != nil {
			return err
		}
	}
	p.beaten = sent
	p.store.lease.renew(sent)
	return nil
}

// lostNodes returns the nodes that have been silent for too long.
func (p *pulse) lostNodes(ctx context.Context) (lost []int64, err error) {
	if uptime()-p.looked > p.store.options.Heartbeat.unchangedFor() {
		clear(p.seen) // this node was stopped or suspended, and so perhaps were the others
	}
	found, err := p.conn.Query(ctx, otherNodes, p.store.node, p.store.options.Heartbeat.LostAfter.Milliseconds())
	if err != nil {
		return nil, err
	}
	seen := make(map[int64]otherNodeSeen, len(p.seen))
	var id, at int64
	var silent bool
	_, err = pgx.ForEachRow(found, []any{&id, &at, &silent}, func() error {
		known, before := p.seen[id]
		if !before || known.at != at {
			known = otherNodeSeen{at: at, since: uptime()}
		}
		seen[id] = known
		// If the server's clock was set back, the last sign of life looks as if it were yet to come.
		unseen := uptime()-known.since >= p.store.options.Heartbeat.LostAfter
		if unseen || silent && uptime()-known.since >= p.store.options.Heartbeat.unchangedFor() {
			lost = append(lost, id)
		}
		return nil
	})
	p.seen, p.looked = seen, uptime()
	return lost, err
}

// lose takes a node for lost, unless it has made a sign of life meanwhile or another node was faster.
func (p *pulse) lose(ctx context.Context, node int64) error {
	deleted, err := p.conn.Exec(ctx, loseNode, node, p.seen[node].at)
	if err != nil || deleted.RowsAffected() == 0 {
		return err
	}
	p.store.options.Log.Warn("a node is lost", "node", node)
	select {
	case p.store.nodeLost <- struct{}{}:
	default: // its runs will be found together with those of another one
	}
	return nil
}

// leave takes this node off the list of those that are alive: what it leaves started can be started elsewhere
// at once.
func (s *Store) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	if _, err := s.db.ExecContext(ctx, leaveNodes, s.node); err != nil {
		s.options.Log.Warn("this node could not sign off", "error", err)
	}
	s.lease.lose()
}

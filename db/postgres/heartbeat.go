package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"runboard/db/query"
)

// Heartbeat configures how nodes detect lost nodes. All nodes of a database must use the same values.
// StopAfter must be less than LostAfter by more than it takes to kill a command.
type Heartbeat struct {
	// Every is the interval between heartbeats. The default is 5 seconds.
	Every time.Duration
	// StopAfter is how long after its last successful heartbeat a node stops its own work. The default is 15
	// seconds.
	StopAfter time.Duration
	// LostAfter is how long after its last heartbeat, by the clock of the database server, a node is lost and
	// the others rescue its runs. The default is 20 seconds.
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

// rescueEvery is how often a node looks for runs of lost nodes although it has seen no node go.
func (h Heartbeat) rescueEvery() time.Duration { return 6 * h.Every }

// unchangedFor is how long a node must itself have observed another node without a heartbeat before that one
// counts as lost, whatever the server's clock says: the clock may have been set, and after an outage all
// nodes look lost until they have reconnected.
func (h Heartbeat) unchangedFor() time.Duration { return 3 * h.Every }

const (
	joinNodes   = `INSERT INTO nodes (seen_at, workers) VALUES (server_millis(), $1) RETURNING id`
	isFirstNode = `SELECT NOT EXISTS (SELECT FROM nodes WHERE id < $1 AND workers > 0)`
	// A node that others declared lost has no row.
	stillAlive = `UPDATE nodes SET seen_at = server_millis() WHERE id = $1`
	aliveAgain = `INSERT INTO nodes (id, seen_at, workers) OVERRIDING SYSTEM VALUE
		VALUES ($1, server_millis(), $2)`
	otherNodes = `SELECT id, seen_at, seen_at < server_millis() - $2, workers > 0 FROM nodes WHERE id <> $1`
	loseNode   = `DELETE FROM nodes WHERE id = $1 AND seen_at = $2`
	leaveNodes = `DELETE FROM nodes WHERE id = $1`
)

// Node implements app.ClusterStore.
func (s *Store) Node() int64 { return s.node }

// IsLeader implements app.ClusterStore.
func (s *Store) IsLeader() bool { return s.leads.Load() }

// heartbeater sends the heartbeats of a node over a connection of its own: a node whose pool is exhausted, or
// whose statements wait for locks, is not lost.
type heartbeater struct {
	store  *Store
	config *pgx.ConnConfig
	conn   *pgx.Conn // nil if it must be opened

	failing   bool                    // the last step failed
	checkedAt time.Duration           // uptime of the last check of the other nodes
	seen      map[int64]otherNodeSeen // the other nodes, as long as checks were not interrupted
}

// otherNodeSeen is what this node has observed of another one.
type otherNodeSeen struct {
	at    int64         // its last heartbeat, by the server's clock
	since time.Duration // uptime at which this node first saw that heartbeat
}

// heartbeatLoop sends heartbeats and checks for lost nodes, until ctx ends.
func (s *Store) heartbeatLoop(ctx context.Context, config *pgx.ConnConfig) {
	h := &heartbeater{store: s, config: config, seen: map[int64]otherNodeSeen{}}
	defer h.close()
	every := s.options.Heartbeat.Every
	for ctx.Err() == nil {
		began := uptime()
		if err := h.step(ctx); ctx.Err() == nil {
			h.setFailing(err)
		}
		wait := every - (uptime() - began)
		if h.failing {
			wait = every / 2
		}
		query.Pause(ctx, max(wait, every/10))
	}
}

// setFailing records whether the last step failed, and logs when that changes.
func (h *heartbeater) setFailing(err error) {
	if was := h.failing; was != (err != nil) {
		h.failing = err != nil
		if was {
			h.store.options.Log.Info("the heartbeat of this node can be written again", "node", h.store.node)
		} else {
			h.store.options.Log.Warn("the heartbeat of this node cannot be written",
				"node", h.store.node, "error", err)
		}
	}
	if err != nil {
		h.close()
		clear(h.seen)
		h.store.leads.Store(false)
	}
}

// step sends a heartbeat, and checks for lost nodes.
func (h *heartbeater) step(ctx context.Context) error {
	if err := h.open(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, h.store.options.Heartbeat.Every)
	defer cancel()
	if err := h.beat(ctx); err != nil {
		return err
	}
	lost, err := h.lostNodes(ctx)
	if err != nil {
		return err
	}
	for _, node := range lost {
		if err := h.lose(ctx, node); err != nil {
			return err
		}
	}
	return nil
}

// open connects if there is no connection, within connectTimeout.
func (h *heartbeater) open(ctx context.Context) (err error) {
	if h.conn == nil {
		h.conn, err = pgx.ConnectConfig(ctx, h.config.Copy())
	}
	return err
}

func (h *heartbeater) close() {
	if h.conn != nil {
		closeConnWithTimeout(h.conn)
		h.conn = nil
	}
}

// beat sends a heartbeat and renews the lease from the time of sending: the server receives it later.
func (h *heartbeater) beat(ctx context.Context) error {
	sent := uptime()
	alive, err := h.conn.Exec(ctx, stillAlive, h.store.node)
	if err != nil {
		return err
	}
	if alive.RowsAffected() == 0 {
		h.store.lease.lose() // before others can take this node for alive again
		h.store.options.Log.Warn("other nodes had declared this node lost", "node", h.store.node)
		if _, err := h.conn.Exec(ctx, aliveAgain, h.store.node, h.store.options.Workers); err != nil {
			return err
		}
	}
	h.store.lease.renew(sent)
	return nil
}

// lostNodes returns the nodes whose last heartbeat is too old. It also finds out whether this node is the
// leader.
func (h *heartbeater) lostNodes(ctx context.Context) (lost []int64, err error) {
	if uptime()-h.checkedAt > h.store.options.Heartbeat.unchangedFor() {
		clear(h.seen) // this node was suspended, and perhaps the others were too
	}
	lostAfter := h.store.options.Heartbeat.LostAfter
	found, err := h.conn.Query(ctx, otherNodes, h.store.node, lostAfter.Milliseconds())
	if err != nil {
		return nil, err
	}
	seen := make(map[int64]otherNodeSeen, len(h.seen))
	var id, at int64
	var overdue, works bool
	leads := h.store.options.Workers > 0
	_, err = pgx.ForEachRow(found, []any{&id, &at, &overdue, &works}, func() error {
		if works && id < h.store.node {
			leads = false
		}
		known, before := h.seen[id]
		if !before || known.at != at {
			known = otherNodeSeen{at: at, since: uptime()}
		}
		seen[id] = known
		// If the server's clock was set back, the last heartbeat lies in the future and is never overdue.
		unseen := uptime()-known.since >= lostAfter
		if unseen || overdue && uptime()-known.since >= h.store.options.Heartbeat.unchangedFor() {
			lost = append(lost, id)
		}
		return nil
	})
	h.store.leads.Store(err == nil && leads)
	if err == nil && isAnyGone(h.seen, seen) {
		h.store.rescuer.rescueSoon()
	}
	h.seen, h.checkedAt = seen, uptime()
	return lost, err
}

// isAnyGone reports whether any node has gone: it has left, or another node has declared it lost.
func isAnyGone(before, now map[int64]otherNodeSeen) bool {
	for node := range before {
		if _, found := now[node]; !found {
			return true
		}
	}
	return false
}

// lose declares a node lost, unless it has sent a heartbeat meanwhile or another node was faster.
func (h *heartbeater) lose(ctx context.Context, node int64) error {
	deleted, err := h.conn.Exec(ctx, loseNode, node, h.seen[node].at)
	if err != nil || deleted.RowsAffected() == 0 {
		return err
	}
	h.store.options.Log.Warn("a node is lost", "node", node)
	h.store.rescuer.rescueSoon()
	return nil
}

// leave removes this node from the live nodes, so that others can rescue its started runs at once.
func (s *Store) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if _, err := s.db.ExecContext(ctx, leaveNodes, s.node); err != nil {
		s.options.Log.Warn("this node could not deregister", "error", err)
	}
	s.lease.lose()
}

package jobs

import "runboard/app"

// standBy leaves an order for as many runs as workers are free, when none wait: such a run is started by the commit
// that creates it. The others are started by one more. A suspect in flight may need to be alone: then nothing is ordered.
func (d *dispatcher) standBy() {
	kinds := d.queue.Registry.atOnce
	if d.full() || d.starting || len(kinds) == 0 || len(d.ahead) > 0 || d.suspects > 0 || !d.knowsAll() {
		return
	}
	d.order = &app.Order{
		Kinds: kinds, Most: d.free(), Arrived: d.arrived,
		Fulfilled: func(started []app.ProcessRun) { d.filled <- started },
	}
	d.queue.Backlog.StandBy(d.order)
}

// mayHandOut reports whether runs may be handed to the workers that are free: they are not promised to others. An order
// that has become wrong is withdrawn for that, unless it is too late.
func (d *dispatcher) mayHandOut() bool {
	if d.order == nil {
		return true
	}
	if d.order.Most == d.free() && d.knowsAll() {
		return false // it stands as it should
	}
	if !d.queue.Backlog.Withdraw(d.order) {
		return false // soon something comes
	}
	d.order = nil
	return true
}

// receive hands the runs to workers that an order has had started.
func (d *dispatcher) receive(started []app.ProcessRun) {
	d.order = nil
	for _, run := range started {
		d.inFlight[run.ID] = run
		d.taken++
		d.runs <- run
	}
}

// endOrder makes sure that nothing is ordered any more. What has been started by then is done.
func (d *dispatcher) endOrder() {
	if d.order != nil && !d.queue.Backlog.Withdraw(d.order) {
		d.receive(<-d.filled)
	}
}

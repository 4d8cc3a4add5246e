package board

import "log/slog"

// Reload reads the kinds file again and offers its kinds, as SIGHUP does. If the file has a fault, Reload
// logs and returns it, and the kinds stay as they are. Attempts that are under way go on as they began.
// Waiting runs of a kind that is gone go on waiting, and pages warn of them. Any goroutine may call it.
func (b *Board) Reload() error {
	if err := b.offer.reload(b.config.Logger); err != nil {
		return err
	}
	b.offer.logWarnings(b.config)
	b.store.Changed().Notify() // workers fetch runs of new kinds, and open pages change
	return nil
}

// reload is Reload without its effects on the rest of the board.
func (o *offer) reload(log *slog.Logger) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.registry.Kinds()
	if err := o.readAgain(); err != nil {
		log.Error("the kinds stay as they are, because the kinds file cannot be used", "error", err)
		return err
	}
	c := compare(before, o.registry.Kinds())
	log.Info("the kinds file was read again", "kinds", len(o.registry.Kinds()),
		"added", c.added, "removed", c.removed, "changed", c.changed)
	return nil
}

// readAgain replaces the kinds by those that the kinds file has now. After an error they are as before. The
// caller holds mu.
func (o *offer) readAgain() error {
	kinds, err := o.read()
	if err != nil {
		return err
	}
	if err := o.makeSecrets(kinds); err != nil {
		return err
	}
	return o.registry.Replace(kinds...)
}

package handlers

import (
	"bytes"
	"fmt"

	"github.com/VictoriaMetrics/metrics"
	"github.com/gofiber/fiber/v2"

	"runboard/app"
)

// showMetrics answers GET /metrics in the text format of Prometheus. The counts of runs come from the store.
func (s *Server) showMetrics(c *fiber.Ctx) error {
	page, err := s.store.Page(c.UserContext(), app.Query{})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	metrics.WriteMetadataIfNeeded(&out, "runboard_runs", "gauge")
	for _, status := range app.Statuses() {
		name := fmt.Sprintf("runboard_runs{status=%q}", status)
		metrics.WriteGaugeUint64(&out, name, uint64(page.Counts[status]))
	}
	metrics.WriteGaugeUint64(&out, "runboard_sockets", uint64(s.sockets.slots.count()))
	ready := uint64(0)
	if s.Ready() == nil {
		ready = 1
	}
	metrics.WriteGaugeUint64(&out, "runboard_ready", ready)
	metrics.WriteProcessMetrics(&out)
	metrics.WriteFDMetrics(&out)
	c.Set(fiber.HeaderContentType, "text/plain; version=0.0.4; charset=utf-8")
	return c.Send(out.Bytes())
}

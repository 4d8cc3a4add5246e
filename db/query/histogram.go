package query

import (
	"encoding/binary"
	"math"
	"time"

	"runboard/app"
)

// histogram is how many durations fell into each of its buckets. The first one is for those below a millisecond; then
// there are four for each doubling, so that the middle of a bucket is within a tenth of all that is in it. The last
// one reaches from five weeks to for ever.
type histogram [128]int64

const perDoubling = 4

func (h *histogram) add(d time.Duration) {
	bucket := 0
	if millis := d.Milliseconds(); millis > 0 {
		bucket = min(1+int(perDoubling*math.Log2(float64(millis))), len(h)-1)
	}
	h[bucket]++
}

// middle is the duration that a bucket stands for.
func middle(bucket int) time.Duration {
	if bucket == 0 {
		return 0
	}
	return time.Duration(math.Exp2((float64(bucket)-0.5)/perDoubling) * float64(time.Millisecond))
}

// merge adds what pack made of another histogram. What nobody can have packed it leaves out.
func (h *histogram) merge(packed []byte) {
	for bucket := uint64(0); len(packed) > 0; bucket++ {
		skip, n := binary.Uvarint(packed)
		count, m := binary.Uvarint(packed[max(0, n):])
		if n <= 0 || m <= 0 || skip >= uint64(len(h)) || bucket+skip >= uint64(len(h)) {
			return
		}
		bucket += skip
		h[bucket] += int64(count)
		packed = packed[n+m:]
	}
}

// pack writes for each bucket that is not empty how many empty ones are before it, and what is in it.
func (h *histogram) pack() []byte {
	packed, empty := []byte{}, uint64(0)
	for _, count := range h {
		if count == 0 {
			empty++
			continue
		}
		packed = binary.AppendUvarint(packed, empty)
		packed = binary.AppendUvarint(packed, uint64(count))
		empty = 0
	}
	return packed
}

func (h *histogram) quantiles() (q app.Quantiles) {
	for _, count := range h {
		q.Count += count
	}
	q.P50, q.P95 = h.quantile(q.Count, 50), h.quantile(q.Count, 95)
	return q
}

// quantile is what so many percent of all that is in it do not exceed.
func (h *histogram) quantile(all, percent int64) time.Duration {
	rank := (all*percent + 99) / 100
	for bucket, count := range h {
		if rank -= count; rank <= 0 {
			return middle(bucket)
		}
	}
	return 0
}

package query

import (
	"encoding/binary"
	"math"
	"time"

	"runboard/app"
)

// histogram counts durations in buckets. The first bucket is for those below a millisecond. Then there are
// four buckets for each doubling, so that the middle of a bucket differs from its durations by less than a
// tenth. The last bucket has no upper bound; it begins at five weeks.
type histogram [128]int64

const perDoubling = 4

func (h *histogram) add(d time.Duration) {
	bucket := 0
	if millis := d.Milliseconds(); millis > 0 {
		bucket = min(1+int(perDoubling*math.Log2(float64(millis))), len(h)-1)
	}
	h[bucket]++
}

// middle returns the duration that a bucket stands for.
func middle(bucket int) time.Duration {
	if bucket == 0 {
		return 0
	}
	return time.Duration(math.Exp2((float64(bucket)-0.5)/perDoubling) * float64(time.Millisecond))
}

// merge adds a histogram that pack returned. It stops at the first invalid entry: a damaged database must not
// stop the writer or a page.
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

// pack encodes the histogram: for each bucket that is not empty, the number of empty buckets before it and
// its count, as varints.
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

// addAll adds another histogram.
func (h *histogram) addAll(other *histogram) {
	for bucket, count := range other {
		h[bucket] += count
	}
}

// mean returns about the mean of the durations, or 0 if there are none.
func (h *histogram) mean() time.Duration {
	var sum float64
	var all int64
	for bucket, count := range h {
		sum += float64(middle(bucket)) * float64(count)
		all += count
	}
	return time.Duration(sum / float64(max(1, all)))
}

func (h *histogram) quantiles() (q app.Quantiles) {
	for _, count := range h {
		q.Count += count
	}
	q.P50, q.P95 = h.quantile(q.Count, 50), h.quantile(q.Count, 95)
	return q
}

// quantile returns the duration that percent of all durations do not exceed.
func (h *histogram) quantile(all, percent int64) time.Duration {
	rank := (all*percent + 99) / 100
	for bucket, count := range h {
		if rank -= count; rank <= 0 {
			return middle(bucket)
		}
	}
	return 0
}

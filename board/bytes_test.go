package board

import "testing"

func TestBytes_HaveUnits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Bytes{"0": 0, "17": 17, "17B": 17, "4KiB": 4096, "1MiB": 1 << 20, "3 GiB": 3 << 30} {
		var got Bytes
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s is %d: %v", text, got, err)
		}
		var again Bytes
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%s is written %s", text, got)
		}
	}
	for _, text := range []string{"", "KiB", "-1", "1.5MiB", "1MB", "1kib", "9999999999GiB", "99999999999999999999"} {
		var got Bytes
		if got.UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func FuzzBytes(f *testing.F) {
	for _, seed := range []string{"0", "1MiB", "1 KiB", "-1", "9223372036854775807", "9GiB", "99999999999GiB", "1.5MiB", "KiB", "B"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var size, again Bytes
		if size.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(size.String())); err != nil || size != again || size < 0 {
			t.Fatalf("%q is %d, written %s, and that %d: %v", text, size, size, again, err)
		}
	})
}

package board

import "testing"

func TestBytes_HaveUnits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Bytes{
		"0": 0, "17": 17, "17B": 17, "4KiB": 4096, "1MiB": 1 << 20, "1.5MiB": 3 << 19, "3 GiB": 3 << 30,
		"1MB": 1_000_000,
	} {
		var got Bytes
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s is %d: %v", text, got, err)
		}
	}
	for _, text := range []string{"", "KiB", "-1", "1XB", "99999999999999999999", "9999999999GiB"} {
		var got Bytes
		if got.UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

package chaos

import (
	"testing"

	"runboard/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

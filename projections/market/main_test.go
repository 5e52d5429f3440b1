package market_test

import (
	"testing"

	"github.com/admitone/admitone/internal/natstest"
)

func TestMain(m *testing.M) { natstest.VerifyTestMain(m) }

package sqlite_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDescribe(t *testing.T) {
	d, err := open(t).Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, "SQLite", d.Product)
	require.Regexp(t, `^3\.\d+\.\d+$`, d.Version)
	require.Zero(t, d.Clock, "it has no clock of its own")
}

package natsapi

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/admitone/admitone/api"
	"github.com/stretchr/testify/require"
)

// The guide for those who have no package for it names all that there is, and no more.
func TestTheGuideIsWhole(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/nats.md")
	require.NoError(t, err)
	guide := string(raw)
	list, err := inquiries()
	require.NoError(t, err)
	for _, q := range list {
		row := fmt.Sprintf("| `%s` | `%s %s` | ", q.subject, q.Method, q.Path)
		require.Contains(t, guide, row)
		_, rest, _ := strings.Cut(guide, row)
		target, _, _ := strings.Cut(rest, "|")
		require.Equal(t, strings.Contains(q.Path, "{id}"), strings.TrimSpace(target) != "", q.subject)
	}
	require.Equal(t, len(list), strings.Count(guide, "| `cmd.")+strings.Count(guide, "| `query."))
	for _, name := range append(append([]string{api.HeaderTarget, api.HeaderStatus}, requestHeaders...), answerHeaders...) {
		require.Contains(t, guide, "`"+name+"`")
	}
}

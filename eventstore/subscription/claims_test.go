package subscription

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A share that is woken asks the broker for its claim at once. Were it woken by what is
// known already, one that is refused would ask without a pause.
func TestOnlyNewsOfAClaimWakes(t *testing.T) {
	t.Parallel()
	keys := groupKeys("group")
	sh := &share{key: keys.claim("name", 0), name: "name", wake: make(chan struct{}, 1)}
	s := &Shares{roster: newRoster(keys, "me"), shares: map[*share]bool{sh: true}}
	woken := func() bool {
		select {
		case <-sh.wake:
			return true
		default:
			return false
		}
	}
	for _, step := range []struct {
		what  string
		learn claim
		wakes bool
		knows string
	}{
		{"taken", claim{holder: "other", revision: 5}, true, "other"},
		{"still taken", claim{holder: "other", revision: 5}, false, "other"},
		{"older", claim{holder: "me", revision: 4}, false, "other"},
		{"written again", claim{holder: "other", revision: 6}, true, "other"},
		{"gone", claim{revision: 6}, true, ""},
		{"still gone", claim{revision: 6}, false, ""},
	} {
		s.learn(sh.key, step.learn)
		require.Equal(t, step.wakes, woken(), step.what)
		require.Equal(t, step.knows, s.roster.claims[sh.key].holder, step.what)
	}
}

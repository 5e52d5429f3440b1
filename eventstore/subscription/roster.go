package subscription

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// roster is what one member knows of its group: who is there, what each takes part
// in, and who has claimed what.
type roster struct {
	keys    groupKeys
	me      string
	members map[string]*member
	gone    []*member        // judged so, and not struck off the bucket yet
	claims  map[string]claim // by key
	beats   uint64           // own beats that came back: the clock by which others are judged
	beat    uint64           // the newest of them
	beatAt  time.Time        // when the broker stored the newest that counts
	echo    uint64           // revision of the newest own announcement that came back
}

// groupKeys are a group's keys in the bucket.
type groupKeys string

func (g groupKeys) members() string           { return string(g) + ".member." }
func (g groupKeys) claims() string            { return string(g) + ".claim." }
func (g groupKeys) member(name string) string { return g.members() + name }

func (g groupKeys) claim(name string, partition int) string {
	return g.claims() + name + "." + strconv.Itoa(partition)
}

type member struct {
	name     string
	names    []string
	revision uint64 // of its newest announcement
	heard    uint64 // when, by that clock, its newest announcement came
}

type claim struct {
	holder   string // empty: free
	revision uint64
	written  time.Time // when this member learned of it
}

func newRoster(keys groupKeys, me string) *roster {
	return &roster{keys: keys, me: me, members: map[string]*member{}, claims: map[string]claim{}}
}

// announcement is what a member says of itself.
type announcement struct {
	Names []string `json:"names"` // what it takes part in, sorted
	Beat  uint64   `json:"beat"`  // rises at a steady pace
}

// note takes an entry of the bucket and reports which key has changed, if it says
// anything new.
func (r *roster) note(e jetstream.KeyValueEntry) (key string, changed bool) {
	put := e.Operation() == jetstream.KeyValuePut
	if name, ok := strings.CutPrefix(e.Key(), r.keys.members()); ok {
		if !put {
			return e.Key(), name != r.me && r.left(name)
		}
		var a announcement
		if json.Unmarshal(e.Value(), &a) != nil {
			return "", false
		}
		if name == r.me {
			r.echo = e.Revision()
			r.tick(a.Beat, e.Created())
		}
		return e.Key(), r.heard(name, e.Revision(), a.Names)
	}
	holder := ""
	if put {
		holder = string(e.Value())
	}
	return e.Key(), r.claimed(e.Key(), claim{holder: holder, revision: e.Revision(), written: time.Now()})
}

// tick moves the clock with one's own beats. Those that waited for the broker
// together come back together, and count as one.
func (r *roster) tick(beat uint64, stored time.Time) {
	if beat != r.beat && stored.Sub(r.beatAt) >= beatEvery/2 {
		r.beats++
		r.beatAt = stored
	}
	r.beat = beat
}

// heard notes an announcement.
func (r *roster) heard(name string, revision uint64, names []string) (changed bool) {
	if name == r.me {
		changed = r.judge()
	}
	m := r.members[name]
	if m == nil {
		m = &member{name: name}
		r.members[name] = m
		changed = true
	}
	changed = changed || !slices.Equal(m.names, names)
	m.names, m.revision, m.heard = names, revision, r.beats
	return changed
}

// judge forgets those who are gone. They are to be struck off the bucket, so that
// whoever comes later does not take them for alive.
func (r *roster) judge() (changed bool) {
	for name, m := range r.members {
		if name != r.me && r.beats-m.heard > goneAfter {
			delete(r.members, name)
			r.gone = append(r.gone, m)
			changed = true
		}
	}
	return changed
}

func (r *roster) left(name string) bool {
	_, there := r.members[name]
	delete(r.members, name)
	return there
}

// claimed notes a claim unless it knows a newer one.
func (r *roster) claimed(key string, c claim) (changed bool) {
	old := r.claims[key]
	if c.revision <= old.revision {
		return false
	}
	r.claims[key] = c
	return c.holder != old.holder
}

// goOnFrom keeps the clock of the roster before, and what was heard by it.
func (r *roster) goOnFrom(old *roster) {
	r.beats, r.beat, r.beatAt = old.beats, old.beat, old.beatAt
	for name, m := range r.members {
		m.heard = r.beats
		if before := old.members[name]; before != nil {
			m.heard = before.heard
		}
	}
}

func (r *roster) takesPart(name, in string) bool {
	m := r.members[name]
	return m != nil && slices.Contains(m.names, in)
}

// owner is the member that is due for a partition: of those who take part, the one
// with the highest hash of member and partition (rendezvous hashing), so that
// nothing moves but what a member brings or leaves.
func (r *roster) owner(name string, partition int) (owner string) {
	var highest [sha256.Size]byte
	key := r.keys.claim(name, partition)
	for candidate := range r.members {
		if !r.takesPart(candidate, name) {
			continue
		}
		weight := sha256.Sum256([]byte(candidate + " " + key))
		if owner == "" || bytes.Compare(weight[:], highest[:]) > 0 {
			owner, highest = candidate, weight
		}
	}
	return owner
}

// free says whether a claim may be taken: nobody has it, its holder is gone, or it
// was this member's before.
func (r *roster) free(key string) bool {
	holder := r.claims[key].holder
	return holder == "" || holder == r.me || r.members[holder] == nil
}

package parked

import "maps"

// known is what this process knows of a mark, from its own writes and from the watch,
// which come in any order: only what is newer counts.
type known struct {
	mark     Mark
	revision uint64 // of the bucket; of what was deleted, or of its deletion
	gone     bool
}

func (k known) there() bool { return k.revision > 0 && !k.gone }

// mostGone is how many marks that are gone are remembered as such. They matter only
// to writes that are under way.
const mostGone = 10_000

func (m *Marks) knows(key string) known {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.known[key]
}

// learn takes in what is newer than what is known, and that what is known is gone.
func (m *Marks) learn(key string, k known) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.known[key]
	if k.revision < old.revision || k.revision == old.revision && !k.gone {
		return
	}
	m.known[key] = k
	switch {
	case k.there() && !old.there():
		m.count.Add(1)
	case old.there() && !k.there():
		m.count.Add(-1)
	}
	if len(m.known) > int(m.count.Load())+mostGone {
		maps.DeleteFunc(m.known, func(_ string, k known) bool { return !k.there() })
	}
}

// replace forgets all for what the bucket holds.
func (m *Marks) replace(all map[string]known) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(all, func(_ string, k known) bool { return !k.there() })
	m.known = all
	m.count.Store(int64(len(all)))
}

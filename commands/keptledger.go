package commands

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/google/uuid"
)

// keptLedger is a ledger in a snapshot: the digests of its pages, which are stored
// beside, and the recent commands.
type keptLedger struct {
	Pages  [][]byte `json:"pages,omitempty"`
	Recent []byte   `json:"recent"`

	old []record // of a snapshot from before there were pages, in order of version
}

// UnmarshalJSON also reads the older form, a map by command id. (An older program
// finds no ids in the newer one, and does without the snapshot: it may not overlook
// what is in the pages.)
func (k *keptLedger) UnmarshalJSON(data []byte) error {
	var older map[uuid.UUID]struct {
		Hash  string `json:"hash"`
		First uint64 `json:"first"`
		Last  uint64 `json:"last"`
	}
	if json.Unmarshal(data, &older) != nil {
		type plain keptLedger
		return json.Unmarshal(data, (*plain)(k))
	}
	for id, h := range older {
		k.old = append(k.old, record{id: id, hash: hashOf(h.Hash), first: h.First, last: h.Last})
	}
	slices.SortFunc(k.old, func(a, b record) int { return cmp.Compare(a.first, b.first) })
	return nil
}

// keep is the ledger as a snapshot holds it.
func keep(pages []*page, recent []record) keptLedger {
	k := keptLedger{Recent: encode(recent)}
	for _, p := range pages {
		k.Pages = append(k.Pages, p.digest[:])
	}
	return k
}

// restore is the ledger of a snapshot with its pages.
func (k *keptLedger) restore(pages []*page) (ledger, error) {
	l := ledger{}
	if len(pages) > 0 {
		l.paged = make(map[uint32]struct{}, len(pages)*pageRecords)
	}
	for _, p := range pages {
		l.addPage(p)
	}
	for _, r := range k.old {
		l.add(r)
	}
	var err error
	if k.old == nil {
		l.recent, err = decode(k.Recent)
	}
	return l, err
}

package commands

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"sort"

	"github.com/google/uuid"
)

const (
	// pageRecords is how many commands a page holds: 64 KiB, which any broker takes
	// as one message. Of the newest ones as many at most are in the snapshot itself.
	pageRecords = 1024
	recordSize  = 16 + sha256.Size + 8 + 8
)

// record is what is remembered of a command: enough to know a repeat and to answer
// it with the state after the command's last event.
type record struct {
	id          uuid.UUID
	hash        [sha256.Size]byte // see hashOf
	first, last uint64            // versions
}

// hashOf is a command's hash in 32 bytes. It is hex of as many; whatever another
// writer may have put instead is hashed, with a prefix that no request begins with.
func hashOf(text string) [sha256.Size]byte {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != sha256.Size || hex.EncodeToString(raw) != text {
		return sha256.Sum256([]byte("not hex: " + text))
	}
	return [sha256.Size]byte(raw)
}

func (r record) appendTo(b []byte) []byte {
	b = append(append(b, r.id[:]...), r.hash[:]...)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, r.first), r.last)
}

// readRecord reads what appendTo wrote.
func readRecord(b []byte) (r record) {
	n := copy(r.id[:], b)
	n += copy(r.hash[:], b[n:])
	r.first, r.last = binary.BigEndian.Uint64(b[n:]), binary.BigEndian.Uint64(b[n+8:])
	return r
}

// encode is the form of records on the wire, and of a page in memory as well.
func encode(records []record) []byte {
	b := make([]byte, 0, len(records)*recordSize)
	for _, r := range records {
		b = r.appendTo(b)
	}
	return b
}

func decode(b []byte) ([]record, error) {
	if len(b)%recordSize != 0 {
		return nil, fmt.Errorf("%d bytes are no remembered commands", len(b))
	}
	var records []record
	for at := 0; at < len(b); at += recordSize {
		records = append(records, readRecord(b[at:]))
	}
	return records, nil
}

// page is a fixed share of an aggregate's commands: the first pageRecords of them in
// order of version are page 0, and so on, in order of id within the page. So it is
// the same bytes whoever makes it, and never changes.
type page struct {
	records []byte
	digest  [sha256.Size]byte
	stored  bool // beside the snapshots; only the snapshotter uses it
}

func newPage(records []byte) *page { return &page{records: records, digest: sha256.Sum256(records)} }

func (p *page) find(id uuid.UUID) (record, bool) {
	at := recordSize * sort.Search(len(p.records)/recordSize, func(i int) bool { return bytes.Compare(p.records[i*recordSize:][:len(id)], id[:]) >= 0 })
	if at == len(p.records) || !bytes.HasPrefix(p.records[at:], id[:]) {
		return record{}, false
	}
	return readRecord(p.records[at:]), true
}

// ledger is all commands that an aggregate has handled. Its pages are shared with
// snapshots; the rest belongs to whoever has the aggregate's turn.
type ledger struct {
	pages  []*page
	recent []record            // the newest, not in a page yet; in order of id
	paged  map[uint32]struct{} // fingerprints of the ids in pages, so that a new id is known as new at once
}

// fingerprint is of the bytes that are random in any version of UUID.
func fingerprint(id []byte) uint32 { return binary.BigEndian.Uint32(id[12:]) }

func (l *ledger) find(id uuid.UUID) (record, bool) {
	if i, ok := l.place(id); ok {
		return l.recent[i], true
	}
	if _, maybe := l.paged[fingerprint(id[:])]; maybe {
		for _, p := range slices.Backward(l.pages) {
			if r, ok := p.find(id); ok {
				return r, true
			}
		}
	}
	return record{}, false
}

// place is where an id is among the recent ones, or belongs.
func (l *ledger) place(id uuid.UUID) (int, bool) {
	return slices.BinarySearchFunc(l.recent, id, func(r record, id uuid.UUID) int { return bytes.Compare(r.id[:], id[:]) })
}

// add remembers a command that is not known yet and newer than all that are, so that
// those do not change any more.
func (l *ledger) add(r record) {
	if len(l.recent) >= pageRecords {
		l.addPage(newPage(encode(l.recent)))
		l.recent = l.recent[:0]
	}
	i, _ := l.place(r.id)
	l.recent = slices.Insert(l.recent, i, r)
}

func (l *ledger) addPage(p *page) {
	l.pages = append(l.pages, p)
	if l.paged == nil {
		l.paged = map[uint32]struct{}{}
	}
	for at := 0; at < len(p.records); at += recordSize {
		l.paged[fingerprint(p.records[at:])] = struct{}{}
	}
}

// extend says that the newest command goes on to a version.
func (l *ledger) extend(id uuid.UUID, last uint64) {
	if i, ok := l.place(id); ok {
		l.recent[i].last = last
	}
}

package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// LogRecord is what an installation knows of a stream that it has used.
type LogRecord struct {
	Stream       string    `json:"stream"`
	Created      time.Time `json:"created"`
	LastSequence uint64    `json:"last_sequence"` // the highest that was seen

	source string // the file that says so, for messages
}

// Records remembers in a file which streams an installation has used, so that it
// refuses to go on with another log than its own. Safe for concurrent use.
type Records struct {
	path string

	mu   sync.Mutex
	logs map[string]LogRecord
}

// OpenRecords reads the file; one that does not exist yet is empty.
// ErrMisconfigured when it cannot be understood.
func OpenRecords(path string) (*Records, error) {
	r := &Records{path: path, logs: map[string]LogRecord{}}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("eventstore: stream records: %w", err)
	}
	if err := json.Unmarshal(content, &r.logs); err != nil {
		return nil, fmt.Errorf("eventstore: the stream records in %s are damaged: %w: %w: restore the file, or remove it if the event streams are known to be right", path, ErrMisconfigured, err)
	}
	return r, nil
}

// Expect is what is recorded of a stream, for StreamConfig.Expect; nil: nothing.
func (r *Records) Expect(stream string) *LogRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	log, ok := r.logs[stream]
	if !ok {
		return nil
	}
	log.source = r.path
	return &log
}

// Save brings the records up to the streams' present state, and writes the file
// if anything changed: one request for each stream. Call it at start, now and
// then, and on shutdown. ErrLogChanged when a stream is no longer what is recorded.
func (r *Records) Save(ctx context.Context, streams ...*Stream) error {
	changed := false
	for _, s := range streams {
		state, err := s.State(ctx)
		if err != nil {
			return err
		}
		if err := r.Expect(s.Name()).check(state.Created, state.LastSequence); err != nil {
			return err
		}
		changed = r.note(s.Name(), state) || changed
	}
	if !changed {
		return nil
	}
	return r.write()
}

func (r *Records) note(stream string, state StreamState) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, known := r.logs[stream]
	if known && old.LastSequence >= state.LastSequence {
		return false
	}
	r.logs[stream] = LogRecord{Stream: stream, Created: state.Created, LastSequence: state.LastSequence}
	return true
}

func (r *Records) write() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	content, err := json.MarshalIndent(r.logs, "", "  ")
	if err != nil {
		return fmt.Errorf("eventstore: stream records: %w", err)
	}
	if err := writeFile(r.path, append(content, '\n')); err != nil {
		return fmt.Errorf("eventstore: stream records: %w", err)
	}
	return nil
}

func (l *LogRecord) checkInfo(info *jetstream.StreamInfo) error {
	return l.check(info.Created, info.State.LastSeq)
}

// check compares a record, which may be nil, with the stream as it is.
func (l *LogRecord) check(created time.Time, last uint64) error {
	switch {
	case l == nil:
		return nil
	case !created.Equal(l.Created):
		return l.changed(fmt.Sprintf("it was created anew at %s", created.Format(time.RFC3339)))
	case last < l.LastSequence:
		return l.changed(fmt.Sprintf("it ends at sequence %d, so its last %d events are lost", last, l.LastSequence-last))
	}
	return nil
}

func (l *LogRecord) gone() error { return l.changed("it does not exist") }

func (l *LogRecord) changed(what string) error {
	source := l.source
	if source == "" {
		source = "this installation"
	}
	return fmt.Errorf("eventstore: stream %s: %w: %s, but %s knows it as created at %s with events up to sequence %d. "+
		"Check that this is the right broker, or restore the stream from a backup",
		l.Stream, ErrLogChanged, what, source, l.Created.Format(time.RFC3339Nano), l.LastSequence)
}

package readapi

import (
	"context"
	"time"

	"github.com/admitone/admitone/readstore"
)

// messageBuckets is the table that tells in which bucket of a conversation a time lies.
const messageBuckets = "message_buckets"

// span is from when on and until before when messages were sent; what is zero does
// not restrict it.
type span struct{ since, until time.Time }

func spanOf(since, until *time.Time) (s span) {
	if since != nil {
		s.since = since.UTC()
	}
	if until != nil {
		s.until = until.UTC()
	}
	return s
}

// name tells spans apart in cursors.
func (s span) name() string { return timeName(s.since) + "/" + timeName(s.until) }

// narrow leaves the messages of a span. In a conversation no message was sent before
// the one before it, so these are a stretch of its versions.
func (c *chronicle) narrow(ctx context.Context, s span) error {
	if !s.until.IsZero() {
		end, err := c.at(ctx, s.until)
		if err != nil {
			return err
		}
		c.version = end - 1
	}
	if s.since.IsZero() {
		return nil
	}
	var err error
	c.first, err = c.at(ctx, s.since)
	return err
}

// at is a version that all messages sent before a time stand before, and no other;
// at most one behind the last. However long a conversation is, it reads the table of
// its buckets and ten messages.
func (c *chronicle) at(ctx context.Context, t time.Time) (int64, error) {
	bucket, err := c.bucketBefore(ctx, t)
	if err != nil || bucket < 0 {
		return 1, err
	}
	// What is not behind before was sent before t, and nothing from end on was.
	before, end := bucket*bucketVersions+1, min((bucket+1)*bucketVersions, c.version)+1
	for before+1 < end {
		middle := (before + end) / 2
		page, err := c.store.Page(ctx, c.table, readstore.Query{
			Partition: readstore.Key{c.id.String(), bucket}, After: readstore.Key{middle - 1}, Limit: 1,
		})
		switch {
		case err != nil:
			return 0, err
		case len(page.Rows) == 1 && c.versionOf(page.Rows[0]) < end && c.in.moment(page.Rows[0], "sent_at").Before(t):
			before = c.versionOf(page.Rows[0])
		default:
			end = middle
		}
	}
	return end, nil
}

// bucketBefore is the last bucket that begins before a time, -1 where none does.
func (c *chronicle) bucketBefore(ctx context.Context, t time.Time) (int64, error) {
	found, in := int64(-1), columnsOf(c.buckets)
	q := readstore.Query{Partition: readstore.Key{c.id.String()}, Limit: readstore.MaxLimit}
	for {
		page, err := c.store.Page(ctx, c.buckets, q)
		if err != nil {
			return 0, err
		}
		for _, row := range page.Rows {
			if !in.moment(row, "begins_at").Before(t) {
				return found, nil
			}
			found = in.number(row, "bucket")
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			return found, nil
		}
	}
}

package subscription

import "context"

// Open makes the durable consumer where there is none, to begin at Start, and pulls
// nothing. Run does it too; call it where the place in the stream has to be fixed
// before.
func (s *Subscription) Open(ctx context.Context) error {
	_, err := s.open(ctx)
	return err
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/commands/httpapi"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/control"
	"github.com/google/uuid"
)

// opImport lists tickets in bulk.
const opImport = "import"

// importTime bounds one request.
const importTime = 20 * time.Second

// importOperation lists the lines of a request at once. It is how an operator, who
// needs no token, acts for many accounts.
func importOperation(tickets httpapi.TicketHandler) control.Operation {
	return func(ctx context.Context, body json.RawMessage, _ func(any)) (any, error) {
		var r importRequest
		if err := json.Unmarshal(body, &r); err != nil {
			return nil, fmt.Errorf("import request: %w", err)
		}
		if len(r.Lines) > importBatch {
			return nil, fmt.Errorf("import request: it has %d lines, at most %d are allowed", len(r.Lines), importBatch)
		}
		ctx, cancel := context.WithTimeout(ctx, importTime)
		defer cancel()
		return listLines(ctx, tickets, r), nil
	}
}

func listLines(ctx context.Context, tickets httpapi.TicketHandler, r importRequest) importReply {
	reply := importReply{Outcomes: []importOutcome{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, line := range r.Lines {
		wg.Go(func() {
			result, err := listLine(ctx, tickets, r.Key, line)
			mu.Lock()
			defer mu.Unlock()
			reply.add(line.Line, result.Repeated, err)
		})
	}
	wg.Wait()
	return reply
}

// listLine sends the line's command. Its id is made of the file and the line, so it
// takes effect once.
func listLine(ctx context.Context, tickets httpapi.TicketHandler, key string, line importLine) (commands.Result[ticket.State], error) {
	actor := line.SellerID.String()
	hash, err := commands.Hash(line)
	if err != nil {
		return commands.Result[ticket.State]{}, err
	}
	id := commands.CommandID(actor, "ticket.import", "", key+"/"+strconv.Itoa(line.Line))
	return tickets.Handle(ctx, commands.Command[ticket.Command]{
		ID: id, Hash: hash, Aggregate: commands.NewAggregateID("ticket", id), Actor: actor,
		CorrelationID: uuid.NewSHA1(uuid.Nil, []byte(key)).String(), Body: line.list(),
	})
}

func (r *importReply) add(line int, repeated bool, err error) {
	var refusal *domain.Refusal
	switch {
	case err == nil:
		r.Outcomes = append(r.Outcomes, importOutcome{Line: line, Repeated: repeated})
	case errors.As(err, &refusal):
		r.Outcomes = append(r.Outcomes, importOutcome{Line: line, Refused: refusal.Error()})
	case errors.Is(err, eventstore.ErrStreamFull):
		r.Stop = "the event stream is full; give it more room with --stream-bytes"
	case mayPass(err):
		r.Later = err.Error()
	default:
		r.Outcomes = append(r.Outcomes, importOutcome{Line: line, Refused: err.Error()})
	}
}

// mayPass says whether the same command can succeed later.
func mayPass(err error) bool {
	for _, e := range []error{eventstore.ErrUnavailable, eventstore.ErrUnknownOutcome, commands.ErrContention, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

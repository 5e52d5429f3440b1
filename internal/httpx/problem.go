package httpx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/admitone/admitone/api"
	"github.com/admitone/admitone/commands"
	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/eventstore/sealed"
	"github.com/admitone/admitone/internal/keys"
	"github.com/admitone/admitone/readapi"
	"github.com/admitone/admitone/readstore"
	"github.com/labstack/echo/v4"
)

// Faults that the middleware finds.
var (
	errNoToken   = errors.New("no access token")
	errRole      = errors.New("role does not suffice")
	errTooLarge  = errors.New("body too large")
	errMediaType = errors.New("body is not JSON")
	errTooMany   = errors.New("too many requests")
	errNoAPI     = errors.New("no API here")
)

// kind is one row of the table of errors: how what errors.Is finds is answered.
type kind struct {
	err    error
	status int
	code   string // stable
	title  string
	detail string // what happened and what to do; empty: the error's own text, fit for strangers
	retry  int    // Retry-After, seconds; 0: none
}

// kinds is searched from the top.
var kinds = []kind{
	{keys.ErrToken, 401, "invalid_token", "Access token is not valid", "", 0},
	{errNoToken, 401, "token_required", "Access token required", "This operation needs an access token: send `Authorization: Bearer <token>`.", 0},
	{errRole, 403, "role_required", "Not permitted", "The access token's role does not permit this operation; use one of a role that does.", 0},
	{errTooLarge, 413, "body_too_large", "Body too large", "The body is larger than 64 KB. Send a smaller one.", 0},
	{errMediaType, 415, "unsupported_media_type", "Unsupported media type", "The body must be UTF-8 JSON without content coding, under `Content-Type: application/json`.", 0},
	{errTooMany, 429, "too_many_requests", "Too many requests", "This account or address sends more requests than it may. Wait as long as Retry-After says, and send fewer.", 1},

	{errNoAPI, 404, "not_found", "Not found", "This copy serves probes and metrics alone; ask one that runs in the role api.", 0},

	{commands.ErrKeyReused, 422, "idempotency_key_reused", "Idempotency key reused", "This Idempotency-Key was used before with another request. Repeat that one as it was, or choose a new key.", 0},
	{commands.ErrVersionMismatch, 412, "version_mismatch", "Version does not match", "The resource is not at the version that If-Match names. Read it again, and decide anew.", 0},
	{sealed.ErrErased, 409, "account_erased", "Account was erased", "The personal texts of this account were erased, for ever, and nothing new can be written for it.", 0},
	{commands.ErrContention, 503, "contention", "Too many concurrent changes", "Others changed the resource at the same time, several times over; nothing was done. Send the request again.", 1},
	{commands.ErrHistory, 503, "history_unreadable", "History cannot be read", "The resource's history has a hole or an event that this version cannot read, so no command can be decided on it. An operator finds it with `admitone verify`.", 60},
	{eventstore.ErrUnknownOutcome, 503, "outcome_unknown", "Outcome unknown", "The broker did not say whether it stored the change. Send the request again with the same Idempotency-Key: it takes effect once. Without a key, read the resource first.", 1},
	{eventstore.ErrStreamFull, 503, "stream_full", "Event stream full", "The event stream has reached its size limit; nothing was done. An operator must raise the limit or make room.", 60},
	{eventstore.ErrUnavailable, 503, "broker_unavailable", "Event broker unavailable", "The event broker did not answer, so the request was not handled. Send it again shortly; a command with an Idempotency-Key takes effect once.", 1},
	{eventstore.ErrLogChanged, 503, "log_changed", "Event log changed", "The event stream is gone or was replaced while the service runs; nothing was done. An operator must restore it, or restart the service and follow what it says.", 60},
	{readstore.ErrParked, 503, "parked", "Projection stopped at this resource", "The projection cannot go on with this resource and is parked at it, so the version asked for will not appear. An operator sees the cause in /v1/admin/parked; without the consistency token the last good version is shown.", 60},
	{readstore.ErrNotYet, 503, "not_yet", "Projection has not caught up", "The projection did not reach the version of the consistency token in time, and older data is not given out. Send the request again, or let it wait longer with `Prefer: wait=10`.", 1},
	{readstore.ErrBuilding, 503, "projection_building", "Projection is being built", "The projection is being built for the first time and cannot be read yet. Send the request again later; of the commands only new orders read one.", 5},
	{readstore.ErrUnavailable, 503, "read_store_unavailable", "Read store unavailable", "The read store did not answer. Send the request again shortly; of the commands only new orders read from it.", 1},
	{readstore.ErrNoTable, 503, "projection_switched", "Projection was switched", "The tables were replaced while they were read. Send the request again.", 1},
	{readstore.ErrBadCursor, 400, "invalid_cursor", "Cursor is not valid", "The cursor does not belong to this list. Begin with the first page, without a cursor.", 0},
	{readapi.ErrNoProjection, 404, "projection_not_found", "No such projection", "There is nothing of this name here.", 0},
	{readapi.ErrNoEvents, 404, "events_not_found", "No such events", "There is no such stream, or it holds no event of this aggregate.", 0},
	{readapi.ErrRebuilding, 409, "rebuild_running", "A rebuild is running", "This projection is being rebuilt already; its progress stands in /v1/admin/projections.", 0},

	{context.DeadlineExceeded, 503, "timeout", "Took too long", "The request was not answered in time. A command may have taken effect: send it again with the same Idempotency-Key, or read the resource first.", 1},
	{context.Canceled, 503, "cancelled", "Cancelled", "The request ended before it was answered.", 1},
}

var refusals = map[domain.Kind]struct {
	status int
	title  string
}{
	domain.Invalid:   {http.StatusUnprocessableEntity, "Request is not valid"},
	domain.NotFound:  {http.StatusNotFound, "Not found"},
	domain.Forbidden: {http.StatusForbidden, "Not permitted"},
	domain.Conflict:  {http.StatusConflict, "Refused in the present state"},
}

// answer is a problem with the headers that belong to it.
type answer struct {
	api.Problem
	retry int
}

func answerTo(err error) answer {
	var malformed *api.MalformedError
	var invalid *api.InvalidError
	var refusal *domain.Refusal
	var routing *echo.HTTPError
	switch {
	case errors.As(err, &malformed):
		return answer{Problem: problem(http.StatusBadRequest, orElse(malformed.Code, "malformed"), "Malformed request", malformed.Detail)}
	case errors.As(err, &invalid):
		a := answer{Problem: problem(http.StatusUnprocessableEntity, "invalid", "Request is not valid", invalid.Error())}
		a.Errors = invalid.Errors
		return a
	case errors.As(err, &refusal):
		return answerToRefusal(refusal)
	case errors.As(err, &routing):
		return answerToRouting(routing)
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return answer{Problem: problem(k.status, k.code, k.title, orElse(k.detail, err.Error())+more(err)), retry: k.retry}
		}
	}
	return answer{Problem: problem(http.StatusInternalServerError, "internal", "Internal error",
		"Something failed on the server's side. Its log has the cause under the X-Request-Id of this answer.")}
}

// more is what a typed error can say beyond its kind.
func more(err error) string {
	var mismatch *commands.VersionMismatchError
	if errors.As(err, &mismatch) {
		return fmt.Sprintf(" It is at version %d.", mismatch.Actual)
	}
	var unknown *readapi.UnknownError
	if errors.As(err, &unknown) {
		return " The names are " + strings.Join(unknown.Known, ", ") + "."
	}
	return ""
}

func answerToRefusal(r *domain.Refusal) answer {
	k, ok := refusals[r.Kind]
	if !ok {
		k = refusals[domain.Conflict]
	}
	a := answer{Problem: problem(k.status, r.Code, k.title, r.Detail)}
	if r.Kind == domain.Invalid {
		a.Errors = []api.FieldError{{Pointer: r.Field, Detail: r.Detail}}
	}
	return a
}

// answerToRouting is for what echo and the generated wrappers find: unknown paths
// and methods, and parameters that cannot be read.
func answerToRouting(e *echo.HTTPError) answer {
	switch e.Code {
	case http.StatusNotFound:
		return answer{Problem: problem(e.Code, "not_found", "Not found", "There is nothing at this path; /openapi.json lists all.")}
	case http.StatusMethodNotAllowed:
		return answer{Problem: problem(e.Code, "method_not_allowed", "Method not allowed", "This path does not know the method; the Allow header lists those it knows.")}
	case http.StatusBadRequest:
		return answer{Problem: problem(e.Code, "malformed", "Malformed request", fmt.Sprint(e.Message))}
	}
	return answer{Problem: problem(e.Code, "http_"+strconv.Itoa(e.Code), http.StatusText(e.Code), fmt.Sprint(e.Message))}
}

func problem(status int, code, title, detail string) api.Problem {
	return api.Problem{Type: "urn:admitone:problem:" + code, Title: title, Status: status, Detail: detail, Code: code}
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// writeProblem is echo's error handler.
func (s *server) writeProblem(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	a := answerTo(err)
	h := c.Response().Header()
	switch {
	case errors.Is(err, keys.ErrToken):
		h.Set("WWW-Authenticate", `Bearer realm="admitone", error="invalid_token"`)
	case a.Status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="admitone"`)
	}
	if a.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(a.retry))
	}
	var written *api.WrittenError
	if errors.As(err, &written) {
		h.Set("Location", written.Location)
		h.Set("Consistency-Token", written.Token)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	c.Response().WriteHeader(a.Status)
	if err := json.NewEncoder(c.Response()).Encode(a.Problem); err != nil {
		s.cfg.Logger.DebugContext(c.Request().Context(), "problem not written", "error", err)
	}
}

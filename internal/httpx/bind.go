package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/admitone/admitone/api"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"
)

// binder reads the body of a request: 400 where it is not one JSON value, 422 with
// all faults at once where the value does not fit the operation's schema.
type binder struct{ rules map[string]rule }

// Bind implements echo.Binder for the generated handlers.
func (b binder) Bind(target any, c echo.Context) error {
	raw, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return readFault(err)
	}
	rule := b.rules[ruleKey(c.Request().Method, c.Path())]
	if len(raw) == 0 && rule.bodyOptional {
		return io.EOF // what the generated handlers take for no body
	}
	value, err := decode(raw)
	if err != nil {
		return err
	}
	if faults := rule.body.validate("", value); faults != nil {
		return &api.InvalidError{Errors: faults}
	}
	return json.Unmarshal(raw, target)
}

func decode(raw []byte) (any, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, api.Malformed("the body is empty; it must be a JSON object")
	}
	if !utf8.Valid(raw) {
		return nil, api.Malformed("the body is not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, api.Malformed("the body is not valid JSON: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, api.Malformed("the body goes on behind its JSON value")
	}
	if !pairsSurrogates(raw) {
		return nil, api.Malformed("the body has half a surrogate pair (\\ud800 to \\udfff) in a text, which is no character: send both halves, or the character itself")
	}
	return value, nil
}

// pairsSurrogates says whether each escape of a surrogate in valid JSON is half of a
// pair. What reads JSON here takes a half alone for U+FFFD, another text.
func pairsSurrogates(raw []byte) bool {
	return !bytes.Contains(raw, []byte(`\u`)) || jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true))
}

// readFault tells a body that is too large from one that the client did not send
// to its end.
func readFault(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errTooLarge
	}
	return api.Malformed("the body could not be read to its end")
}

// checkBody refuses bodies that are too large or of another type, before they are read.
func (s *server) checkBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.ContentLength > MaxBody {
			return errTooLarge
		}
		r.Body = http.MaxBytesReader(c.Response(), r.Body, MaxBody)
		rule := s.rules[ruleKey(r.Method, c.Path())]
		switch {
		case rule.body != nil && r.ContentLength != 0 && !isJSON(r.Header):
			return errMediaType
		case rule.path != "" && rule.body == nil && r.Method != http.MethodGet:
			if err := checkNoBody(r); err != nil {
				return err
			}
		}
		return next(c)
	}
}

// checkNoBody is for operations that take no body: an empty object says no more than
// none, and anything else asks for what would not be done.
func checkNoBody(r *http.Request) error {
	raw, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return readFault(err)
	case len(raw) == 0:
		return nil
	case !isJSON(r.Header):
		return errMediaType
	}
	value, err := decode(raw)
	if err != nil {
		return err
	}
	if faults := (&schema{Type: "object"}).validate("", value); faults != nil {
		return &api.InvalidError{Errors: faults}
	}
	return nil
}

// checkQuery finds what the generated handlers would not, or would call by another name.
func (s *server) checkQuery(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if _, err := url.ParseQuery(c.Request().URL.RawQuery); err != nil {
			return api.Malformed("the query cannot be read: write it as name=value&name=value, other characters percent-encoded")
		}
		for _, p := range s.rules[ruleKey(c.Request().Method, c.Path())].parameters {
			if err := p.check(c.QueryParams()); err != nil {
				return err
			}
		}
		return next(c)
	}
}

// check drops an empty number that means the default, and refuses a value that is
// empty where that means nothing, or a number that no integer holds.
func (p parameter) check(query url.Values) error {
	values := query[p.Name]
	if p.In != "query" || len(values) != 1 {
		return nil
	}
	number := p.Schema.Type == "integer"
	_, err := strconv.ParseInt(values[0], 10, 64)
	switch empty := values[0] == ""; {
	case empty && number && p.AllowEmptyValue:
		delete(query, p.Name)
	case empty && p.Schema.Format != "":
		return api.Malformed("the query parameter %s is empty: leave it out, or give it a value", p.Name)
	case number && errors.Is(err, strconv.ErrRange):
		return api.Invalid(p.Name, "is out of range")
	}
	return nil
}

func isJSON(h http.Header) bool {
	mediaType, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	return err == nil && mediaType == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8")) &&
		h.Get("Content-Encoding") == ""
}

// joinLists makes one line of headers that are lists, as RFC 9110 (section 5.3) allows.
func joinLists(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Request().Header
		for _, name := range []string{"If-Match", "If-None-Match", "Consistency-Token", "Prefer"} {
			if lines := h.Values(name); len(lines) > 1 {
				h.Set(name, strings.Join(lines, ", "))
			}
		}
		return next(c)
	}
}

package httpx

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/admitone/admitone/api"
	"github.com/google/uuid"
)

// schema is the part of OpenAPI's schema object that request bodies use.
type schema struct {
	Ref                  string `json:"$ref"`
	Type                 string
	Required             []string
	Properties           map[string]json.RawMessage
	AdditionalProperties *bool // always taken as false: an unknown field is a fault
	MinLength            int
	MaxLength            *int
	Minimum, Maximum     *int64
	Pattern              string
	Format, Description  string // for readers
	Example              any
	Enum                 []string // for readers: the domain knows them, and refuses others by a code of its own
	GoType               string   `json:"x-go-type"`

	fields  map[string]*schema
	pattern *regexp.Regexp
}

// validate lists all that is wrong with a decoded value, numbers as json.Number;
// pointer is where the value stands (RFC 6901).
func (s *schema) validate(pointer string, value any) []api.FieldError {
	fault := func(format string, args ...any) []api.FieldError {
		return []api.FieldError{{Pointer: pointer, Detail: fmt.Sprintf(format, args...)}}
	}
	switch v := value.(type) {
	case map[string]any:
		if s.Type == "object" {
			return s.validateObject(pointer, v)
		}
	case string:
		if s.Type == "string" {
			return s.validateString(v, fault)
		}
	case json.Number:
		if s.Type == "integer" {
			return s.validateInteger(v, fault)
		}
	}
	return fault("must be %s", withArticle(s.Type))
}

func (s *schema) validateObject(pointer string, object map[string]any) []api.FieldError {
	var faults []api.FieldError
	at := func(name string) string {
		return pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if field, ok := s.fields[name]; ok {
			faults = append(faults, field.validate(at(name), object[name])...)
		} else {
			faults = append(faults, api.FieldError{Pointer: at(name), Detail: "is not a field of this request"})
		}
	}
	for _, name := range s.Required {
		if _, ok := object[name]; !ok {
			faults = append(faults, api.FieldError{Pointer: at(name), Detail: "is required"})
		}
	}
	return faults
}

func (s *schema) validateString(v string, fault func(string, ...any) []api.FieldError) []api.FieldError {
	n := utf8.RuneCountInString(v)
	switch {
	case n < s.MinLength:
		return fault("must have at least %d characters", s.MinLength)
	case s.MaxLength != nil && n > *s.MaxLength:
		return fault("must have at most %d characters, not %d", *s.MaxLength, n)
	case !s.pattern.MatchString(v) && strings.TrimSpace(v) == "":
		return fault("must not be blank")
	case !s.pattern.MatchString(v):
		return fault("must %s", s.form())
	}
	return nil
}

// form says what the pattern asks for.
func (s *schema) form() string {
	switch isID := s.pattern.MatchString(uuid.Nil.String()) && !s.pattern.MatchString("x"); {
	case isID && s.pattern.MatchString(""):
		return "be a UUID, or empty"
	case isID:
		return "be a UUID"
	}
	return "match " + s.Pattern
}

func (s *schema) validateInteger(v json.Number, fault func(string, ...any) []api.FieldError) []api.FieldError {
	if strings.ContainsAny(v.String(), ".eE") {
		return fault("must be an integer, written without fraction or exponent")
	}
	n, err := strconv.ParseInt(v.String(), 10, 64)
	switch {
	case s.Minimum != nil && (n < *s.Minimum || err != nil && strings.HasPrefix(v.String(), "-")):
		return fault("must be at least %d", *s.Minimum)
	case s.Maximum != nil && (n > *s.Maximum || err != nil):
		return fault("must be at most %d", *s.Maximum)
	case err != nil:
		return fault("is out of range")
	}
	return nil
}

func withArticle(noun string) string {
	if strings.ContainsAny(noun[:1], "aeio") {
		return "an " + noun
	}
	return "a " + noun
}

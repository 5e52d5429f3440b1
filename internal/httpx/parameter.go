package httpx

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	"github.com/admitone/admitone/api"
	"github.com/labstack/echo/v4"
)

// unreadable is what the generated handlers say of a parameter, before Go's own words.
var unreadable = regexp.MustCompile(`^Invalid format for parameter ([\w-]+): `)

// sayParameters tells callers what a parameter must be where it cannot be read.
func (s *server) sayParameters(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		var routing *echo.HTTPError
		if !errors.As(err, &routing) || routing.Code != http.StatusBadRequest {
			return err
		}
		found := unreadable.FindStringSubmatch(fmt.Sprint(routing.Message))
		if found == nil {
			return err
		}
		all := s.rules[ruleKey(c.Request().Method, c.Path())].parameters
		i := slices.IndexFunc(all, func(p parameter) bool { return p.Name == found[1] })
		if i < 0 {
			return err
		}
		return all[i].fault(len(c.QueryParams()[all[i].Name]))
	}
}

// fault is that of a parameter that the URL has so many times in its query.
func (p parameter) fault(times int) error {
	if times > 1 {
		return api.Malformed("the %s parameter %s is there %d times: give it one value", p.In, p.Name, times)
	}
	return api.Malformed("the %s parameter %s must be %s", p.In, p.Name, p.form())
}

func (p parameter) form() string {
	switch {
	case p.Schema.Format == "uuid":
		return "a UUID"
	case p.Schema.Format == "date-time":
		return "a time as RFC 3339 has it, such as 2026-11-26T13:05:00Z"
	case p.Schema.Type == "boolean":
		return "true or false"
	case p.Schema.Type == "integer":
		return "an integer"
	}
	return "one value in the form that /openapi.json gives it"
}

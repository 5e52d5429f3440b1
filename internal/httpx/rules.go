package httpx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/admitone/admitone/api"
)

// rule is what the API's document says of an operation and must hold before any
// parameter is read.
type rule struct {
	path    string // as the document writes it: /v1/tickets/{id}
	tag     string // the group it belongs to
	secured bool
	roles   []string // who may; empty: every account
	body    *schema  // nil: no body

	bodyOptional bool
	parameters   []parameter
}

type document struct {
	Paths      map[string]map[string]operation
	Components struct {
		Schemas    map[string]json.RawMessage
		Parameters map[string]parameter
	}
}

type parameter struct {
	Ref             string `json:"$ref"`
	Name            string
	In              string
	AllowEmptyValue bool
	Schema          struct{ Type, Format string }
}

type operation struct {
	Parameters  []parameter
	Tags        []string
	Security    []json.RawMessage
	Roles       []string `json:"x-roles"`
	RequestBody *struct {
		Required bool
		Content  map[string]struct{ Schema json.RawMessage }
	}
}

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// readRules reads the document; its key is the method and echo's form of the path.
func readRules() (map[string]rule, error) {
	raw, err := api.Document()
	if err != nil {
		return nil, err
	}
	var doc document
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("httpx: read the API's document: %w", err)
	}
	rules := map[string]rule{}
	for path, operations := range doc.Paths {
		for method, op := range operations {
			r := rule{path: path, tag: strings.Join(op.Tags, ","), secured: len(op.Security) > 0, roles: op.Roles}
			if op.RequestBody != nil {
				r.bodyOptional = !op.RequestBody.Required
				if r.body, err = doc.schema(op.RequestBody.Content["application/json"].Schema); err != nil {
					return nil, fmt.Errorf("httpx: body of %s %s: %w", method, path, err)
				}
			}
			r.parameters = doc.parameters(op.Parameters)
			rules[ruleKey(strings.ToUpper(method), pathParameter.ReplaceAllString(path, ":$1"))] = r
		}
	}
	return rules, nil
}

func (d *document) parameters(of []parameter) (all []parameter) {
	for _, p := range of {
		if name, ok := strings.CutPrefix(p.Ref, "#/components/parameters/"); ok {
			p = d.Components.Parameters[name]
		}
		all = append(all, p)
	}
	return all
}

func ruleKey(method, echoPath string) string { return method + " " + echoPath }

// schema reads one schema with all it refers to. A keyword that validate does not
// know is an error, so that the document never promises a check nobody makes.
func (d *document) schema(raw json.RawMessage) (*schema, error) {
	var s schema
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return nil, err
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.schema(d.Components.Schemas[name])
	}
	s.fields = map[string]*schema{}
	for name, property := range s.Properties {
		field, err := d.schema(property)
		if err != nil {
			return nil, fmt.Errorf("property %s: %w", name, err)
		}
		s.fields[name] = field
	}
	var err error
	s.pattern, err = regexp.Compile(s.Pattern)
	return &s, err
}

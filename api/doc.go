// Package api is the HTTP interface as a contract: openapi.yaml is the only
// source of routes, api.gen.go is generated from it (types and one interface of
// typed functions, StrictServerInterface), and beside them stand the words of the
// wire that endpoints share: ETags, consistency tokens, preferences, the caller,
// and faults of a request.
//
// Endpoints (commands/httpapi, readapi) and internal/httpx import it. It imports
// no other room.
package api

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

//go:generate go tool -modfile=../tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi.yaml

//go:embed openapi.yaml
var document []byte

// Document is openapi.yaml as JSON.
func Document() (json.RawMessage, error) {
	var tree any
	if err := yaml.Unmarshal(document, &tree); err != nil {
		return nil, fmt.Errorf("api: read openapi.yaml: %w", err)
	}
	doc, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("api: turn openapi.yaml into JSON: %w", err)
	}
	return doc, nil
}

package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Operation can be asked for over NATS as well as over HTTP: a command, which the
// document names with x-command, or a query, which it names with x-query.
type Operation struct {
	Name   string // "ticket.reprice"; its subject is CommandSubject or QuerySubject + Name
	Method string
	Path   string // "/v1/tickets/{id}/price"; at most the one parameter id
}

// What precedes an operation's name in its subject. The body of a command is what it
// is over HTTP; that of a query is an object with the parameters that stand in the URL
// there, by their names, or nothing.
const (
	CommandSubject = "cmd."
	QuerySubject   = "query."
)

// Headers of a request over NATS, beside those that HTTP has too.
const (
	HeaderTarget = "Admitone-Target" // of a request: the id in the path
	HeaderStatus = "Admitone-Status" // of an answer: the HTTP status
)

// Commands lists all commands of the document by name.
func Commands() ([]Operation, error) {
	return operations(func(n names) string { return n.Command })
}

// Queries lists all queries of the document that can be asked over NATS, by name.
func Queries() ([]Operation, error) {
	return operations(func(n names) string { return n.Query })
}

// names are those of one operation in the document.
type names struct {
	Command string `json:"x-command"`
	Query   string `json:"x-query"`
}

func operations(nameOf func(names) string) ([]Operation, error) {
	raw, err := Document()
	if err != nil {
		return nil, err
	}
	var doc struct {
		Paths map[string]map[string]names
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("api: read the operations of openapi.yaml: %w", err)
	}
	var list []Operation
	for path, methods := range doc.Paths {
		for method, n := range methods {
			if name := nameOf(n); name != "" {
				list = append(list, Operation{Name: name, Method: strings.ToUpper(method), Path: path})
			}
		}
	}
	slices.SortFunc(list, func(a, b Operation) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

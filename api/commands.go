package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Command is an operation that changes something, and can be asked for over NATS
// too. The document names it with x-command.
type Command struct {
	Name   string // "ticket.reprice"; its subject is CommandSubject + Name
	Method string
	Path   string // "/v1/tickets/{id}/price"; at most the one parameter id
}

// CommandSubject precedes a command's name in its subject.
const CommandSubject = "cmd."

// Headers of a command over NATS, beside those that HTTP has too.
const (
	HeaderTarget = "Admitone-Target" // of a request: the id in the path
	HeaderStatus = "Admitone-Status" // of an answer: the HTTP status
)

// Commands lists all commands of the document by name.
func Commands() ([]Command, error) {
	raw, err := Document()
	if err != nil {
		return nil, err
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Name string `json:"x-command"`
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("api: read the commands of openapi.yaml: %w", err)
	}
	var list []Command
	for path, operations := range doc.Paths {
		for method, op := range operations {
			if op.Name != "" {
				list = append(list, Command{Name: op.Name, Method: strings.ToUpper(method), Path: path})
			}
		}
	}
	slices.SortFunc(list, func(a, b Command) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

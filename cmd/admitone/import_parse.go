package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/admitone/admitone/domain"
	"github.com/admitone/admitone/domain/ticket"
	"github.com/google/uuid"
)

// importLine is a ticket to be listed, as it is sent to the server.
type importLine struct {
	Line     int          `json:"line"`
	SellerID uuid.UUID    `json:"seller_id"`
	Title    string       `json:"title"`
	Price    domain.Money `json:"price"`
}

// list is the command of the line.
func (l importLine) list() ticket.List {
	return ticket.List{SellerID: l.SellerID, Title: l.Title, Price: l.Price}
}

// lineParser makes a ticket of a line; its error is the reason why it cannot.
type lineParser func(text []byte, seller uuid.UUID) (importLine, error)

// Columns of CSV; the last may be missing.
var importColumns = []string{"title", "amount", "currency", "seller_id"}

// parserFor looks at the first line: an object begins NDJSON, names of columns are
// the header of CSV.
func parserFor(first []byte, fault error) (parse lineParser, header bool, err error) {
	if fault != nil {
		return nil, false, fmt.Errorf("it is neither a header of CSV nor a JSON object: %w", fault)
	}
	if bytes.TrimSpace(first)[0] == '{' {
		return checked(parseJSON), false, nil
	}
	columns, err := csvRecord(first)
	if err != nil {
		return nil, false, fmt.Errorf("it is no header of CSV: %w", err)
	}
	at, err := columnsOf(columns)
	if err != nil {
		return nil, false, err
	}
	return checked(func(text []byte) (importText, error) { return parseCSV(text, at, len(columns)) }), true, nil
}

func columnsOf(names []string) (map[string]int, error) {
	at := map[string]int{}
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := at[name]; twice {
			return nil, fmt.Errorf("column %q is there twice", name)
		}
		if !slices.Contains(importColumns, name) {
			return nil, fmt.Errorf("column %q is not known: the first line names the columns, of %s, separated by commas", name, strings.Join(importColumns, ","))
		}
		at[name] = i
	}
	for _, name := range importColumns[:3] {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("column %q is missing: the first line names the columns, of %s, separated by commas", name, strings.Join(importColumns, ","))
		}
	}
	return at, nil
}

// importText is a ticket whose seller is still text.
type importText struct {
	title  string
	price  domain.Money
	seller string
}

// checked finds the seller, and what the ticket's own rules refuse.
func checked(parse func([]byte) (importText, error)) lineParser {
	return func(text []byte, seller uuid.UUID) (importLine, error) {
		t, err := parse(text)
		if err != nil {
			return importLine{}, err
		}
		l := importLine{SellerID: seller, Title: t.title, Price: t.price}
		if t.seller != "" {
			if l.SellerID, err = accountID(t.seller); err != nil {
				return l, fmt.Errorf("seller_id: %w", err)
			}
		}
		if l.SellerID == uuid.Nil {
			return l, errors.New("it has no seller_id, and no --seller was given")
		}
		_, err = ticket.Decide(ticket.Initial(), l.list())
		return l, err
	}
}

func parseJSON(text []byte) (importText, error) {
	var object struct {
		Title  *string       `json:"title"`
		Price  *domain.Money `json:"price"`
		Seller string        `json:"seller_id"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&object); err != nil {
		return importText{}, ticketFault(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return importText{}, errors.New("more than one JSON object is on the line")
	}
	if object.Title == nil || object.Price == nil {
		return importText{}, errors.New("it needs a title and a price")
	}
	return importText{title: *object.Title, price: *object.Price, seller: object.Seller}, nil
}

// ticketFields says what each field of a ticket in JSON must be; the empty one is all of it.
var ticketFields = map[string]string{
	"": "it must be a JSON object", "title": "title must be a text", "price": "price must be an object with amount and currency",
	"price.amount": "price.amount must be " + minorUnits, "price.currency": "price.currency must be a text, such as \"EUR\"",
	"seller_id": "seller_id must be a text, the UUID of an account",
}

const minorUnits = "a whole number of minor units (2500 is 25.00)"

// ticketFault says which field is at fault; what no field is, is said of the JSON.
func ticketFault(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && ticketFields[wrong.Field] != "" {
		return fmt.Errorf("%s, and not: %s", ticketFields[wrong.Field], wrong.Value)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is no ticket in JSON: the line ends within it")
	}
	return fmt.Errorf("it is no ticket in JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
}

func parseCSV(text []byte, at map[string]int, columns int) (importText, error) {
	fields, err := csvRecord(text)
	if err != nil {
		return importText{}, err
	}
	if len(fields) != columns {
		return importText{}, fmt.Errorf("it has %d fields, the header has %d", len(fields), columns)
	}
	t := importText{title: fields[at["title"]]}
	t.price.Currency = strings.TrimSpace(fields[at["currency"]])
	if i, ok := at["seller_id"]; ok {
		t.seller = strings.TrimSpace(fields[i])
	}
	amount := strings.TrimSpace(fields[at["amount"]])
	if t.price.Amount, err = strconv.ParseInt(amount, 10, 64); err != nil {
		return t, fmt.Errorf("amount %q is not "+minorUnits, shortened(amount))
	}
	return t, nil
}

// csvRecord splits one line.
func csvRecord(text []byte) ([]string, error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	fields, err := r.Read()
	var fault *csv.ParseError
	if errors.As(err, &fault) {
		return nil, fmt.Errorf("column %d: %w", fault.Column, fault.Err)
	}
	return fields, err
}

// shortened keeps a reason readable.
func shortened(text string) string {
	if runes := []rune(text); len(runes) > 40 {
		return string(runes[:40]) + "…"
	}
	return text
}

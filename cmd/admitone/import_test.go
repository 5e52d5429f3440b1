package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/admitone/admitone/domain/ticket"
	"github.com/admitone/admitone/eventstore"
	"github.com/admitone/admitone/internal/blackbox"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// parseAll reads a text as a file of an import: the tickets by line, and the reasons
// of the bad lines.
func parseAll(t *testing.T, text string, seller uuid.UUID) (good map[int]importLine, bad map[int]string, err error) {
	t.Helper()
	file, err := openImport("-", strings.NewReader(text))
	if err != nil {
		return nil, nil, err
	}
	defer file.close()
	good, bad = map[int]importLine{}, map[int]string{}
	lines := make(chan importLine, 1000)
	err = file.tickets(t.Context(), seller, lines, func(line int, reason string) { bad[line] = reason })
	close(lines)
	for l := range lines {
		good[l.Line] = l
	}
	return good, bad, err
}

func TestImportParsesCSV(t *testing.T) {
	t.Parallel()
	seller, other := uuid.New(), uuid.New()
	text := "\ufeffCurrency, Title ,AMOUNT,seller_id\r\n" + // 1
		`EUR,"Row ""7"", seat 1",2500,` + "\r\n" + // 2
		"\r\n" +
		"EUR,Other, 5 ," + other.String() + "\r\n" + // 4
		"EUR,Point,25.00,\r\n" + // 5
		"EUR,\"open,1,\r\n" + // 6
		"EUR,after it,1,\r\n" + // 7
		"EUR,\xff,1,\r\n" + // 8
		"EUR,few\r\n" + // 9
		"EUR,many,1,,\r\n" + // 10
		"EUR,neg,-1,\r\n" + // 11
		"XXX,money,1,\r\n" + // 12
		"EUR,,1,\r\n" + // 13
		"EUR,nobody,1,me\r\n" + // 14
		"EUR," + strings.Repeat("x", 1<<20) + ",1,\r\n" + // 15
		"EUR," + strings.Repeat("y", 201) + ",1,\r\n" + // 16
		"EUR,last,1," // 17
	good, bad, err := parseAll(t, text, seller)
	require.NoError(t, err)
	require.Equal(t, `Row "7", seat 1`, good[2].Title)
	require.EqualValues(t, 2500, good[2].Price.Amount)
	require.Equal(t, seller, good[2].SellerID)
	require.Equal(t, other, good[4].SellerID)
	require.EqualValues(t, 5, good[4].Price.Amount)
	require.Contains(t, good, 7, "a quote that is not closed swallows no other line")
	require.Contains(t, good, 17, "the last line needs no break")
	require.Len(t, good, 4)
	for line, words := range map[int]string{
		5: "25.00", 6: "quote", 8: "UTF-8", 9: "2 fields", 10: "5 fields", 11: "amount", 12: "currency", 13: "title", 14: "seller_id", 15: "64 KB", 16: "title",
	} {
		require.Contains(t, strings.ToLower(bad[line]), strings.ToLower(words), "line %d", line)
	}
	require.Len(t, bad, 11)
}

func TestImportParsesNDJSON(t *testing.T) {
	t.Parallel()
	text := `{"title":"a","price":{"amount":5,"currency":"EUR"}}` + "\n" +
		`{"title":"b","price":{"amount":5.5,"currency":"EUR"}}` + "\n" +
		`{"title":"c","price":{"amount":5,"currency":"EUR"},"colour":"red"}` + "\n" +
		`{"title":"d"}` + "\n" +
		`{"title":"e","price":{"amount":5,"currency":"EUR"}} {}` + "\n" +
		`{` + "\n" +
		`null` + "\n" +
		`{"title":"g","price":{"amount":9,"currency":"EUR"}}` + "\n" +
		`{"title":"h","price":{"amount":"5","currency":"EUR"}}` + "\n" +
		`{"title":"i","price":5}` + "\n" +
		`{"title":6,"price":{"amount":5,"currency":"EUR"}}` + "\n" +
		`{"title":"j","price":{"amount":5,"currency":978}}` + "\n" +
		`{"title":"k","price":{"amount":5,"currency":"EUR"},"seller_id":7}` + "\n" +
		`[]`
	good, bad, err := parseAll(t, text, uuid.New())
	require.NoError(t, err)
	require.Len(t, good, 2)
	require.Equal(t, "g", good[8].Title)
	require.Len(t, bad, 12)
	for line, reason := range map[int]string{
		2: "price.amount must be a whole number of minor units (2500 is 25.00), and not: number 5.5", 3: `it is no ticket in JSON: unknown field "colour"`,
		6: "it is no ticket in JSON: the line ends within it", 9: "price.amount must be a whole number of minor units (2500 is 25.00), and not: string",
		10: "price must be an object with amount and currency, and not: number", 11: "title must be a text, and not: number",
		12: `price.currency must be a text, such as "EUR", and not: number`, 13: "seller_id must be a text, the UUID of an account, and not: number",
		14: "it must be a JSON object, and not: array",
	} {
		require.Equal(t, reason, bad[line], "line %d", line)
	}
	good, bad, err = parseAll(t, text, uuid.Nil)
	require.NoError(t, err)
	require.Empty(t, good)
	require.Contains(t, bad[1], "--seller")
}

// What is wrong with the whole file is said once, in words that help.
func TestImportRefusesFiles(t *testing.T) {
	t.Parallel()
	for text, words := range map[string]string{
		"":                                  "empty",
		"title;amount;currency\n":           "commas",
		"title,amount\n":                    `"currency" is missing`,
		"title,amount,title,currency\n":     "twice",
		"title,amount,currency,colour\n":    `"colour" is not known`,
		strings.Repeat("x", 1<<20):          "64 KB",
		"\xff\xfet\x00i\x00t\x00l\x00e\x00": "UTF-8",
	} {
		_, _, err := parseAll(t, text, uuid.New())
		require.ErrorContains(t, err, words, "%.20q", text)
	}
	_, err := openImport(filepath.Join(t.TempDir(), "absent"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A pipe is kept in a file only as long as it is read.
func TestImportLeavesNothing(t *testing.T) {
	t.Parallel()
	file, err := openImport("-", strings.NewReader("title,amount,currency\n"))
	require.NoError(t, err)
	require.FileExists(t, file.file.Name())
	file.close()
	require.NoFileExists(t, file.file.Name())
}

// importFile writes n tickets as CSV; every seventh line of data is bad.
func importFile(t testing.TB, n int) (path string, bad int) {
	t.Helper()
	var b strings.Builder
	b.WriteString("title,amount,currency\n")
	for i := 1; i <= n; i++ {
		if i%7 == 0 {
			bad++
			fmt.Fprintf(&b, "Seat %d,free,EUR\n", i)
		} else {
			fmt.Fprintf(&b, "Seat %d,%d,EUR\n", i, i)
		}
	}
	path = filepath.Join(t.TempDir(), "tickets.csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path, bad
}

// requireListed wants each good line in the log once.
func requireListed(t testing.TB, s *blackbox.Server, seller string, n int) {
	t.Helper()
	prices := map[int64]int{}
	for id, events := range blackbox.ReadLog(t, s.NATS()) {
		require.Len(t, events, 1, id)
		require.Equal(t, seller, events[0].Seller)
		prices[events[0].Price]++
	}
	for i := 1; i <= n; i++ {
		want := 1
		if i%7 == 0 {
			want = 0
		}
		require.Equal(t, want, prices[int64(i)], "line %d", i+1)
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	data, seller := dataDir(t), uuid.NewString()
	s := program.Serve(t, data)
	path, bad := importFile(t, 300)
	r := program.Run(t, "import", path, "--seller", seller, "--data", data)
	require.Equal(t, 1, r.Code, "bad lines are an exit code")
	require.Equal(t, fmt.Sprintf("300 lines: %d listed, 0 listed before, %d bad\n", 300-bad, bad), r.Out)
	require.True(t, strings.HasPrefix(r.ErrOut, "line 8: amount \"free\""), r.ErrOut)
	require.Equal(t, bad+2, strings.Count(r.ErrOut, "\n"))
	require.Contains(t, r.ErrOut, "Mend the bad ones in a file of their own")
	requireListed(t, s, seller, 300)

	r = program.Run(t, "import", path, "--seller", seller, "--data", data, "--json")
	require.Equal(t, 1, r.Code)
	var summary importSummary
	require.NoError(t, json.Unmarshal([]byte(r.Out), &summary))
	require.Equal(t, 300-bad, summary.Repeated, "the same file lists nothing twice")
	require.Zero(t, summary.Listed)
	require.Len(t, summary.Bad, bad)
	require.Equal(t, 8, summary.Bad[0].Line)
	requireListed(t, s, seller, 300)
	requireSound(t, data)

	s.Stop()
	r = program.Run(t, "import", path, "--data", data)
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.ErrOut, "admitone serve")
}

// An import that is killed goes on when it is run again, and one whose server is
// killed goes on by itself.
func TestImportSurvives(t *testing.T) {
	t.Parallel()
	const n = 4000
	data, seller := dataDir(t), uuid.NewString()
	s := program.Serve(t, data)
	path, bad := importFile(t, n)

	ctx, kill := context.WithCancel(t.Context())
	first := program.Begin(ctx, "import", path, "--seller", seller, "--data", data)
	awaitListed(t, s, 100)
	kill()
	require.Equal(t, -1, (<-first).Code)

	second := program.Begin(t.Context(), "import", path, "--seller", seller, "--data", data)
	awaitListed(t, s, 1000)
	s.Kill()
	s = program.Serve(t, data)
	r := <-second
	require.Equal(t, 1, r.Code, "%s%s", r.Out, r.ErrOut)
	var lines, listed, before, badly int
	_, err := fmt.Sscanf(r.Out, "%d lines: %d listed, %d listed before, %d bad", &lines, &listed, &before, &badly)
	require.NoError(t, err, r.Out)
	require.Equal(t, []int{n, bad, n - bad}, []int{lines, badly, listed + before})
	require.GreaterOrEqual(t, before, 100)
	requireListed(t, s, seller, n)
	requireSound(t, data)
}

// awaitListed waits until TICKETS holds so many events.
func awaitListed(t testing.TB, s *blackbox.Server, n uint64) {
	t.Helper()
	w := newWriter(t, s)
	eventually(t, fmt.Sprint(n, " events"), func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		stream, err := w.js.Stream(ctx, "TICKETS")
		if errors.Is(err, context.DeadlineExceeded) {
			return false
		}
		require.NoError(t, err)
		return stream.CachedInfo().State.Msgs >= n
	})
}

// A line that the server could not decide on is sent again, and only that.
func TestImportSendsTheRestAgain(t *testing.T) {
	t.Parallel()
	reply := importReply{}
	reply.add(2, false, nil)
	reply.add(3, false, fmt.Errorf("append: %w", eventstore.ErrUnavailable))
	reply.add(4, true, nil)
	reply.add(5, false, ticket.ErrTitle)
	require.Contains(t, reply.Later, "unavailable")
	require.Empty(t, reply.Stop)
	run := &importRun{show: func(int) {}}
	left := run.count([]importLine{{Line: 2}, {Line: 3}, {Line: 4}, {Line: 5}}, reply.Outcomes)
	require.Equal(t, []importLine{{Line: 3}}, left)
	require.Equal(t, importSummary{Lines: 3, Listed: 1, Repeated: 1, Bad: []badLine{{Line: 5, Reason: ticket.ErrTitle.Error()}}}, run.summary)
	reply.add(3, false, eventstore.ErrStreamFull)
	require.Contains(t, reply.Stop, "--stream-bytes")
}

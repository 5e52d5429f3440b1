package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/google/uuid"
)

// maxLine is the longest line of an import in bytes, that of an HTTP body.
const maxLine = 64 << 10

// importSource is a file whose content is known, so that its lines have keys.
type importSource struct {
	file      *os.File
	temporary bool
	size      int64
	count     int    // line breaks
	key       string // of the content
	parse     lineParser
}

// openImport opens a file, or keeps what comes through a pipe in one: the content
// is read twice, once for the key.
func openImport(path string, stdin io.Reader) (*importSource, error) {
	s := &importSource{}
	var err error
	if path == "-" {
		err = s.spool(stdin)
	} else {
		err = s.open(path)
	}
	if err == nil {
		err = s.digest()
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("import %s: %w", path, err)
	}
	return s, nil
}

func (s *importSource) open(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		s.file = f
		return nil
	}
	defer func() { _ = f.Close() }()
	if err != nil {
		return err
	}
	return s.spool(f)
}

func (s *importSource) spool(from io.Reader) (err error) {
	if s.file, err = os.CreateTemp("", "admitone-import-*"); err != nil {
		return err
	}
	s.temporary = true
	_, err = io.Copy(s.file, from)
	return err
}

func (s *importSource) digest() error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	hash, lines := sha256.New(), &lineCounter{}
	var err error
	if s.size, err = io.Copy(io.MultiWriter(hash, lines), s.file); err != nil {
		return err
	}
	if s.size == 0 {
		return errors.New("it is empty: it needs a line with the columns title,amount,currency, or JSON objects")
	}
	s.count, s.key = lines.n, hex.EncodeToString(hash.Sum(nil))
	_, err = s.file.Seek(0, io.SeekStart)
	return err
}

type lineCounter struct{ n int }

func (c *lineCounter) Write(p []byte) (int, error) {
	c.n += bytes.Count(p, []byte{'\n'})
	return len(p), nil
}

func (s *importSource) close() {
	if s.file == nil {
		return
	}
	_ = s.file.Close()
	if s.temporary {
		_ = os.Remove(s.file.Name())
	}
}

// tickets reads the lines into a channel; those that hold no ticket go to bad. An
// error is one of the whole file.
func (s *importSource) tickets(ctx context.Context, seller uuid.UUID, into chan<- importLine, bad func(line int, reason string)) error {
	in := &lineReader{in: bufio.NewReaderSize(io.LimitReader(s.file, s.size), maxLine)}
	for {
		text, fault, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the file: %w", err)
		}
		line, found, fault, err := s.ticket(text, fault, seller)
		if err != nil {
			return fmt.Errorf("line %d: %w", in.line, err)
		}
		if fault != nil {
			bad(in.line, fault.Error())
		}
		if fault != nil || !found {
			continue
		}
		line.Line = in.line
		select {
		case into <- line:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ticket makes a ticket of a line. None is found on an empty line and in a header;
// the first line decides how all are read.
func (s *importSource) ticket(text []byte, fault error, seller uuid.UUID) (line importLine, found bool, bad, err error) {
	if fault == nil && len(bytes.TrimSpace(text)) == 0 {
		return line, false, nil, nil
	}
	if s.parse == nil {
		var header bool
		if s.parse, header, err = parserFor(text, fault); err != nil || header {
			return line, false, nil, err
		}
	}
	if fault != nil {
		return line, false, fault, nil
	}
	line, fault = s.parse(text, seller)
	return line, fault == nil, fault, nil
}

// lineReader reads lines of bounded length and tells their numbers.
type lineReader struct {
	in   *bufio.Reader
	line int
}

// next is a line without its break, or what is wrong with it; io.EOF at the end.
func (r *lineReader) next() (text []byte, fault, err error) {
	text, err = r.in.ReadSlice('\n')
	r.line++
	if errors.Is(err, bufio.ErrBufferFull) {
		fault = fmt.Errorf("the line is longer than %d KB", maxLine>>10)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.in.ReadSlice('\n')
		}
		text = nil
	}
	if errors.Is(err, io.EOF) && (len(text) > 0 || fault != nil) {
		err = nil
	}
	if r.line == 1 {
		text = bytes.TrimPrefix(text, []byte("\ufeff"))
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if fault == nil && !utf8.Valid(text) {
		fault = errors.New("the line is not UTF-8")
	}
	return text, fault, err
}

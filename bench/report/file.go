package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"
)

// File is what is kept of the newest measurement of every row.
type File struct {
	Machine Machine `json:"machine"`
	Rows    []Row   `json:"rows"`
}

// Machine is what figures depend on.
type Machine struct {
	Cores int    `json:"cores"`
	Go    string `json:"go"`
	OS    string `json:"os"`
}

// ThisMachine is where the program runs.
func ThisMachine() Machine {
	return Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH}
}

// Read returns what a file holds; an empty File where there is none.
func Read(path string) (File, error) {
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return File{}, nil
	}
	var f File
	if err == nil {
		err = json.Unmarshal(body, &f)
	}
	if err != nil {
		return File{}, fmt.Errorf("results of before in %s: %w; mend or remove it", path, err)
	}
	return f, nil
}

// Merge puts newly measured rows in the place of those with the same names. Rows
// stand in the order of names; those that nobody measures any more are gone.
func (f File) Merge(rows []Row, names []string, at time.Time, machine Machine) File {
	byName := map[string]Row{}
	for _, r := range f.Rows {
		byName[r.Name] = r
	}
	for _, r := range rows {
		r.At = at.UTC().Truncate(time.Second)
		byName[r.Name] = r
	}
	merged := File{Machine: machine, Rows: []Row{}}
	for _, name := range names {
		if r, ok := byName[name]; ok {
			merged.Rows = append(merged.Rows, r)
		}
	}
	return merged
}

// Write replaces the file as a whole, so that an interrupted run leaves the old or
// the new one.
func (f File) Write(path string) error {
	body, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	next := path + ".next"
	if err := os.WriteFile(next, append(body, '\n'), 0o644); err != nil {
		return fmt.Errorf("keep results: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("keep results: %w", err)
	}
	return nil
}

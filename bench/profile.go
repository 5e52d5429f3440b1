package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/pprof"

	"github.com/admitone/admitone/bench/lab"
)

var noFileName = regexp.MustCompile(`[^a-zA-Z0-9]+`)

// profiled is a side that leaves a CPU profile of its newest round in a folder,
// under the row's name. Where the side fills a stream first, that is in it too.
func profiled(s side, folder, row string) side {
	return func(ctx context.Context, l *lab.Lab) (values []float64, err error) {
		f, err := os.Create(filepath.Join(folder, noFileName.ReplaceAllString(row, "-")+".pprof"))
		if err != nil {
			return nil, fmt.Errorf("profile: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, fmt.Errorf("profile: %w", err)
		}
		defer pprof.StopCPUProfile()
		return s(ctx, l)
	}
}

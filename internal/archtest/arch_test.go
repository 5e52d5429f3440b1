package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

func TestArrows(t *testing.T) {
	t.Parallel()
	files := goFiles(t)
	require.Greater(t, len(files), 20, "the files of the module were not found")
	var faults []string
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if fault := check(path.Dir(file), strings.HasSuffix(file, "_test.go"), imported); fault != "" {
				faults = append(faults, file+": "+fault)
			}
		}
	}
	require.Empty(t, faults, "see internal/archtest/rooms_test.go")
}

// marketplace is what the engine does not speak of. "order" alone is no such
// word: the engine keeps things in order.
var marketplace = regexp.MustCompile(`(?i)ticket|seller|buyer|marketplace|orders|order_?id`)

func TestTheEngineKnowsNoWordOfTheMarketplace(t *testing.T) {
	t.Parallel()
	var faults []string
	for _, file := range goFiles(t) {
		if r, ok := roomOf(path.Dir(file)); !ok || !r.engine || strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, filepath.Join(root, file), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if text := textOf(n); marketplace.MatchString(text) {
				faults = append(faults, fmt.Sprintf("%s:%d: %s", file, set.Position(n.Pos()).Line, text))
			}
			return true
		})
	}
	require.Empty(t, faults)
}

func textOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.Ident:
		return n.Name
	case *ast.BasicLit:
		if n.Kind == token.STRING {
			return n.Value
		}
	}
	return ""
}

// A rule that never says no holds nothing.
func TestWrongArrowsAreFaults(t *testing.T) {
	t.Parallel()
	for _, wrong := range []struct{ dir, imported string }{
		{"domain/ticket", module + "/eventstore"},
		{"domain/ticket", "github.com/stretchr/testify/require"},
		{"domain", "golang.org/x/text/currency"},
		{"commands", module + "/domain"},
		{"commands", module + "/projections"},
		{"commands", module + "/api"},
		{"projections", module + "/commands"},
		{"projections", module + "/readstore/sqlite"},
		{"projections", "github.com/labstack/echo/v4"},
		{"readapi", module + "/readstore/cql"},
		{"readapi", module + "/eventstore"},
		{"readapi", "github.com/labstack/echo/v4"},
		{"commands/httpapi", "github.com/labstack/echo/v4"},
		{"web", module + "/readstore"},
		{"eventstore", "github.com/gocql/gocql"},
		{"cmd/admitone", module + "/internal/natstest"},
		{"cmd/admitone", module + "/nowhere"},
		{"nowhere", "fmt"},
	} {
		require.NotEmpty(t, check(wrong.dir, false, wrong.imported), "%s imports %s", wrong.dir, wrong.imported)
	}
	require.NotEmpty(t, check("projections", true, module+"/domain/ticket"), "a test of the engine imports the domain")
	for _, right := range []struct{ dir, imported string }{
		{"domain/ticket", module + "/domain"},
		{"commands", module + "/eventstore"},
		{"cmd/admitone", module + "/readstore/cql"},
		{"projections/market", module + "/domain/ticket"},
		{"domain", "strings"},
	} {
		require.Empty(t, check(right.dir, false, right.imported), "%s imports %s", right.dir, right.imported)
	}
	require.Empty(t, check("projections", true, module+"/readstore/sqlite"), "tests import adapters")
}

// check says what is wrong with a file of the package dir that imports a path;
// nothing is "".
func check(dir string, test bool, imported string) string {
	from, ok := roomOf(dir)
	if !ok {
		return dir + " is no room"
	}
	if !strings.HasPrefix(imported, module) {
		return checkLibrary(from, dir, test, imported)
	}
	target := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
	to, ok := roomOf(target)
	switch {
	case !ok:
		return target + " is no room"
	case test && from.engine && !to.engine && !to.tests:
		return "a test of the engine imports the marketplace: " + target
	case test:
		return ""
	case to.tests && !from.tests:
		return target + " is for tests only"
	case to.path == from.path || matchesAny(from.may, target):
		return ""
	}
	return dir + " may not import " + target
}

func checkLibrary(from room, dir string, test bool, imported string) string {
	standard := !strings.Contains(strings.Split(imported, "/")[0], ".")
	if test || standard {
		if test && from.engine && strings.HasPrefix(imported, "github.com/labstack/echo") {
			return "a test of the engine imports " + imported
		}
		return ""
	}
	if strings.HasPrefix(from.path, "domain") && !slices.Contains(domainLibraries, imported) {
		return "the domain may not import " + imported
	}
	for library, homes := range libraries {
		if strings.HasPrefix(imported, library) && !matchesAny(homes, dir) {
			return dir + " may not import " + imported
		}
	}
	return ""
}

func roomOf(dir string) (room, bool) {
	best, found := room{}, false
	for _, r := range rooms {
		if matches(r.path, dir) && (!found || len(r.path) > len(best.path)) {
			best, found = r, true
		}
	}
	return best, found
}

func matchesAny(patterns []string, dir string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, dir) })
}

func matches(pattern, dir string) bool {
	if pattern == "..." {
		return true
	}
	above, open := strings.CutSuffix(pattern, "/...")
	return dir == above || open && strings.HasPrefix(dir, above+"/")
}

// goFiles is every Go file of the module, by its path from the root; folders with
// a go.mod of their own are other modules.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || isModule(p)):
			return fs.SkipDir
		case strings.HasSuffix(p, ".go"):
			files = append(files, p)
		}
		return nil
	})
	require.NoError(t, err)
	return files
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(root, dir, "go.mod"))
	return err == nil
}

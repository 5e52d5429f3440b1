package archtest

const module = "github.com/admitone/admitone"

// room is a package, or with "/..." a package and all below it, and the rooms
// that its code (not its tests) may import beside itself.
type room struct {
	path   string
	may    []string
	engine bool // knows no word of the marketplace
	tests  bool // for tests only: no room's code may import it
}

// rooms is every room there is; one that is not here may not exist. Of two that
// match, the longer path counts.
var rooms = []room{
	{path: "domain/...", may: nil},

	{path: "eventstore", engine: true},
	{path: "eventstore/parked", may: []string{"eventstore"}, engine: true},
	{path: "eventstore/subscription", may: []string{"eventstore"}, engine: true},
	{path: "eventstore/sealed", may: []string{"eventstore"}, engine: true},
	{path: "readstore", engine: true},
	{path: "readstore/internal/...", may: []string{"readstore"}, engine: true},
	{path: "readstore/cql", may: []string{"readstore", "readstore/internal/..."}, engine: true},
	{path: "readstore/sqlite", may: []string{"readstore", "readstore/internal/..."}, engine: true},
	{path: "readstore/storetest", may: []string{"readstore"}, engine: true, tests: true},
	{path: "commands", may: []string{"eventstore"}, engine: true},
	{path: "commands/commandstest", may: []string{"eventstore", "commands"}, engine: true, tests: true},
	{path: "projections", may: []string{"eventstore", "eventstore/subscription", "eventstore/parked", "readstore"}, engine: true},
	{path: "processes", may: []string{"eventstore", "eventstore/subscription", "eventstore/parked", "commands", "processes/timers"}, engine: true},
	{path: "processes/timers", may: []string{"eventstore"}, engine: true},

	{path: "api", may: nil},
	{path: "commands/httpapi", may: []string{"commands", "eventstore", "eventstore/sealed", "domain/...", "api"}},
	{path: "processes/market", may: []string{"processes", "eventstore", "commands", "domain/...", "api"}},
	{path: "processes/bot", may: []string{"processes", "eventstore", "eventstore/sealed", "commands", "domain/...", "api"}},
	{path: "projections/market", may: []string{"projections", "eventstore", "readstore", "domain/..."}},
	{path: "readapi/...", may: []string{"readstore", "domain/...", "api"}},
	{path: "web", may: []string{"commands", "commands/httpapi", "readapi/...", "domain/...", "api"}},

	{path: "internal/httpx", may: []string{"api", "commands", "domain/...", "eventstore", "eventstore/sealed", "readapi/...", "readstore", "internal/keys"}},
	{path: "internal/catalogue", may: []string{"api", "eventstore"}},
	{path: "internal/natsapi", may: []string{"api"}},
	{path: "client", may: []string{"api"}},
	{path: "examples/bot", may: []string{"api", "client"}},
	{path: "internal/keys", may: []string{"api"}},
	{path: "internal/control"},
	{path: "internal/archtest", tests: true},
	{path: "internal/blackbox", tests: true},
	{path: "internal/cqltest", tests: true},
	{path: "internal/natstest", may: []string{"eventstore"}, tests: true},

	{path: "cmd/...", may: []string{"..."}},
}

// libraries says which rooms' code may import a library, by the prefix of its
// import path. Libraries that are not here are free, but for the domain.
var libraries = map[string][]string{
	"github.com/labstack/echo":            {"api", "internal/httpx", "cmd/..."},
	"github.com/gocql/gocql":              {"readstore/cql", "internal/cqltest"},
	"modernc.org/sqlite":                  {"readstore/sqlite"},
	"github.com/nats-io/nats-server":      {"eventstore", "internal/natstest"},
	"github.com/stretchr/testify":         {"readstore/storetest", "commands/commandstest", "internal/blackbox", "internal/cqltest", "internal/natstest"},
	"github.com/spf13":                    {"cmd/..."},
	"github.com/prometheus/client_golang": {"internal/httpx", "cmd/..."},
}

// domainLibraries is all that the domain may import beside the standard library.
var domainLibraries = []string{"github.com/google/uuid"}

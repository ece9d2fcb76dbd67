package archtest

// Plan is the architecture that the sources are compared with.
type Plan struct {
	Module  string
	Layers  map[string]Layer    // by directory; a package that is not here must not be
	Modules map[string][]string // which packages may import which module of others; any may import it in tests
	Helpers []string            // packages that the tests of all others may import
}

// Layer is the place of a package.
type Layer struct {
	Level int      // imports go down: only to packages of a lower level
	Ours  []string // of those, the ones it may import; Any for all of them
	Pure  []string // what it may import of the standard library; nil for everything. Pure packages do not read the clock either
}

// Any allows a package to import all packages of lower levels.
var Any = []string{"*"}

// pure is as much of the standard library as a function of its arguments can need.
var pure = []string{
	"bytes", "cmp", "encoding", "encoding/binary", "encoding/hex", "encoding/json", "errors", "fmt", "hash/fnv", "io", "iter", "maps", "math",
	"math/bits", "net/netip", "regexp", "slices", "sort", "strconv", "strings", "time", "unicode", "unicode/utf8",
}

// Baton is the plan of this module. Who adds a package adds a line.
func Baton() Plan {
	return Plan{
		Module: "github.com/batondb/baton",
		Layers: map[string]Layer{
			"topology": {Level: 0, Pure: pure},
			"ledger":   {Level: 0},

			"analysis":  {Level: 1, Ours: []string{"topology"}, Pure: pure},
			"collector": {Level: 1, Ours: []string{"topology"}},

			"remediation": {Level: 2, Ours: []string{"topology", "analysis"}, Pure: append([]string{"context", "sync"}, pure...)},

			"remediation/mysql":     {Level: 3, Ours: []string{"topology", "remediation"}},
			"remediation/hook":      {Level: 3, Ours: []string{"topology", "remediation"}},
			"rules":                 {Level: 3},
			"dashboards":            {Level: 3},
			"internal/alertmanager": {Level: 3},
			"internal/archtest":     {Level: 3},
			"internal/lab":          {Level: 3, Ours: []string{"topology"}},
			"internal/sim":          {Level: 3, Ours: []string{"topology", "analysis", "collector", "remediation"}},

			"api":          {Level: 4, Ours: []string{"topology", "analysis", "remediation", "ledger"}},
			"internal/gen": {Level: 4, Ours: []string{"topology", "analysis", "collector", "remediation", "rules", "dashboards"}},

			"api/apitest":     {Level: 5, Ours: []string{"topology", "analysis", "remediation", "ledger", "api"}},
			"internal/config": {Level: 5, Ours: []string{"topology", "analysis", "collector", "remediation", "ledger"}},

			"internal/service": {Level: 6, Ours: Any},

			"internal/demo": {Level: 7, Ours: []string{
				"topology", "analysis", "remediation", "api", "rules", "dashboards", "internal/config", "internal/service", "internal/lab",
			}},

			"cmd/baton": {Level: 8, Ours: []string{
				"topology", "analysis", "remediation", "api", "rules", "dashboards", "internal/config", "internal/service", "internal/lab", "internal/demo",
			}},
		},
		Modules: map[string][]string{
			"github.com/VictoriaMetrics/fastcache": {"collector"},
			"github.com/cespare/xxhash/v2":         {"collector"},
			"github.com/go-chi/chi/v5":             {"api"},
			"github.com/go-sql-driver/mysql":       {"collector", "remediation/mysql", "internal/lab"},
			"github.com/hashicorp/go-hclog":        {"ledger"},
			"github.com/hashicorp/raft":            {"ledger"},
			"github.com/hashicorp/raft-boltdb/v2":  {"ledger"},
			"github.com/prometheus/alertmanager":   {"api"},
			"github.com/prometheus/client_golang":  {"collector", "api", "internal/service"},
			"github.com/prometheus/common":         {"api", "internal/service", "cmd/baton"},
			"github.com/urfave/cli/v2":             {"cmd/baton"},
			"github.com/xrash/smetrics":            {"api"},
			"go.etcd.io/bbolt":                     {"ledger"},
			"go.yaml.in/yaml/v3":                   {"internal/config", "internal/gen", "internal/lab", "cmd/baton"},
			"golang.org/x/term":                    {"cmd/baton"},
		},
		Helpers: []string{"internal/lab", "internal/sim", "api/apitest"},
	}
}

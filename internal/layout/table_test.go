package layout_test

// everything is what internal/app may import: it puts the parts together.
const everything = "*"

// mayImport is the import table of the house: for each package, which of our
// own packages its non-test code may import. Paths are relative to the module.
// Arrows point forward only (CONTRIBUTING.md, "Where things go"); a new package
// is one new line here.
var mayImport = map[string][]string{
	// Flags and signals. quorum, because its etcd member is the same binary
	// started as a child, before anything of app.
	"cmd/drwatch":  {"internal/app", "internal/client", "internal/console", "internal/demo", "internal/cloudsim", "internal/quorum", "internal/strictyaml", "internal/api", "internal/replication"},
	"internal/app": {everything},
	// A play on the real daemon and the simulated clouds.
	"internal/demo": {"internal/app", "internal/cloudsim", "internal/client", "internal/console", "internal/failover", "internal/api", "internal/replication"},

	// The words that all others speak in, and the reading of YAML.
	"internal/replication":               {},
	"internal/strictyaml":                {},
	"internal/strictyaml/strictyamltest": {"internal/strictyaml"},

	// Clouds, and the keys to them.
	"internal/credentials":           {},
	"internal/provider":              {"internal/replication"},
	"internal/provider/providertest": {"internal/provider", "internal/replication"},
	"internal/provider/huawei":       {"internal/provider", "internal/replication"},
	"internal/provider/sdrs":         {"internal/provider", "internal/provider/huawei", "internal/replication"},
	"internal/provider/evs":          {"internal/provider", "internal/provider/huawei", "internal/replication"},
	"internal/provider/dws":          {"internal/provider", "internal/provider/huawei", "internal/replication"},
	"internal/provider/ebs":          {"internal/provider", "internal/replication"},
	"internal/cloudsim":              {"internal/replication"},

	// Evidence, forward to the decision and its execution.
	"internal/probe":           {"internal/replication"},
	"internal/series":          {},
	"internal/collector":       {"internal/provider", "internal/probe", "internal/series", "internal/replication"},
	"internal/policy/rulefile": {"internal/strictyaml", "internal/replication"},
	"internal/alerts":          {"internal/series"}, // what Alertmanager has sent
	"internal/policy":          {"internal/alerts", "internal/policy/rulefile", "internal/series", "internal/replication"},
	// Tests of rules: an observer put together on a virtual clock, with the store in memory.
	"internal/policy/policytest": {"internal/policy", "internal/policy/rulefile", "internal/alerts", "internal/evidence", "internal/failover", "internal/quorum/quorumtest", "internal/strictyaml", "internal/series", "internal/replication"},
	"internal/quorum/ledger":     {"internal/replication"},
	"internal/quorum":            {"internal/quorum/ledger", "internal/replication"},
	"internal/quorum/quorumtest": {"internal/quorum/ledger", "internal/replication"},
	"internal/archive":           {"internal/quorum/ledger", "internal/replication"}, // ended journals in files
	"internal/failover":          {"internal/replication"},
	"internal/evidence":          {"internal/policy", "internal/failover", "internal/replication"}, // from the rules' language to the decision's
	// A person's failover without the store.
	"internal/breakglass": {"internal/failover", "internal/archive", "internal/quorum/ledger", "internal/api", "internal/replication"},

	// What is told to people and programs.
	"internal/exposition":                {}, // /metrics as bytes
	"internal/exposition/expositiontest": {},
	"internal/config":                    {"internal/strictyaml", "internal/credentials", "internal/replication"},
	"internal/history":                   {"internal/replication"},
	"internal/report":                    {"internal/history", "internal/replication"},
	"internal/notify":                    {"internal/replication"},
	"internal/api":                       {"internal/replication"}, // the JSON that web writes and client reads
	"internal/web":                       {"internal/api", "internal/replication"},
	"internal/client":                    {"internal/api", "internal/replication"},
	"internal/console":                   {"internal/api", "internal/replication"},

	"test/leftover": {}, // for tests alone
	"test/soak":     {"internal/client", "internal/cloudsim", "internal/api", "internal/replication"},
	// For those who work on drwatch.
	"tools/mutate": {},
}

// onlyIn says where a foreign module may be imported. The longest prefix wins.
var onlyIn = map[string][]string{
	"github.com/huaweicloud/":                   {"internal/provider/huawei", "internal/provider/sdrs", "internal/provider/evs", "internal/provider/dws"},
	"github.com/aliyun/":                        {"internal/provider/ebs"},
	"go.etcd.io/":                               {"internal/quorum", "bench/claims", "test/soak"}, // the latter compare with plain locks, and count keys
	"github.com/prometheus/blackbox_exporter/":  {"internal/probe", "internal/config"},
	"github.com/prometheus/prometheus/":         {"internal/series", "internal/alerts", "internal/collector", "internal/policy", "internal/policy/rulefile", "internal/policy/policytest", "internal/exposition/expositiontest"},
	"github.com/alecthomas/kingpin/":            {"cmd/drwatch"},
	"modernc.org/sqlite":                        {"internal/history"},
	"github.com/prometheus/client_golang/api":   {"internal/report", "internal/policy/policytest", "internal/client"},
	"github.com/prometheus/exporter-toolkit/":   {"cmd/drwatch", "internal/app", "internal/demo", "internal/web"},
	"github.com/prometheus/alertmanager/notify": {},
}

// neverLinked are packages that no program of ours may pull in, even through
// another module: they carry whole foreign SDKs or are archived. A path that
// ends in a slash covers everything below it.
var neverLinked = []string{
	"github.com/prometheus/prometheus/rules",
	"github.com/prometheus/prometheus/notifier",
	"github.com/prometheus/prometheus/config",
	"github.com/prometheus/prometheus/discovery/",
	"github.com/prometheus/prometheus/tsdb",
	"github.com/aws/",
	"github.com/Azure/",
	"github.com/stretchr/testify/",
}

// core is the decision: a pure function of a snapshot. It may reach none of
// coreNever, not even through others, imports none of coreNeverDirect itself,
// and has no foreign module anywhere below it.
const core = "internal/failover"

var (
	coreNever       = []string{"net", "net/", "os/exec", "os/signal", "os/user", "database/", "plugin", "testing"}
	coreNeverDirect = []string{"os", "io/fs", "io/ioutil", "path/filepath", "syscall", "unsafe", "embed", "log"}
)

// immutableCalls are the constructors a package-level variable may be built
// with: what they return does not change afterwards.
var immutableCalls = []string{
	"errors.New",
	"fmt.Errorf",
	"math.Float64frombits",
	"prometheus.NewDesc",
	"reflect.TypeFor",
	"regexp.MustCompile",
	"strings.NewReplacer",
	"template.Must",
	"time.Date",
	"time.Unix",
}

// maxLines is the longest a Go file may be.
const maxLines = 500

package failover_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/dws"
	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/provider/evs"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
	"github.com/drwatch/drwatch/internal/replication"
)

// read is a group as a provider's own reader makes it of an answer.
type read struct {
	name  string
	group replication.Group
}

// item is an answer's object.
type item = map[string]any

// clouds reads, with the readers themselves, one group of each provider in each
// status that the provider's package knows and in two that it does not, in both
// directions. The first of each is the one in which all is well.
func clouds(t *testing.T) map[replication.Provider][]read {
	odd := []string{"odd", ""}
	return map[replication.Provider][]read{
		replication.HuaweiSDRS: sdrsGroups(t, append(cases(t, "sdrs/group.go", "stateOf"), odd...)),
		replication.HuaweiEVS:  evsGroups(t, append(cases(t, "evs/group.go", "stateOf"), odd...), append(cases(t, "evs/group.go", "availableState"), odd...)),
		replication.HuaweiDWS:  dwsGroups(t, append(cases(t, "dws/group.go", "stateOf"), odd...)),
		replication.AliyunEBS:  ebsGroups(t, append(keysOf(t, "ebs/status.go", "statuses"), odd...)),
	}
}

func sdrsGroups(t *testing.T, statuses []string) (out []read) {
	c := newCloud(t, "sdrs")
	for _, copying := range []string{"", "copying"} {
		for _, station := range []string{"source", "target", "odd"} {
			for _, status := range statuses {
				if copying != "" && (status != "protected" || station != "source") {
					continue
				}
				g := c.item("groups.json", "server_groups")
				g["status"], g["priority_station"], g["replication_status"] = status, station, copying
				id := g["id"].(string)
				c.answer("/server-groups/"+id, item{"server_group": g})
				c.answerFile("/replications", "replications.json")
				c.answerFile("/protected-instances", "instances.json")
				out = append(out, read{words(status, copying, side(station)), c.read(sdrs.NewReader, id, "cn-north-4")})
			}
		}
	}
	return out
}

func evsGroups(t *testing.T, statuses, copyings []string) (out []read) {
	c := newCloud(t, "evs")
	for _, station := range []string{"eu-west-0a", "eu-west-0b", "odd"} {
		for _, status := range statuses {
			for _, copying := range copyings {
				if status != "available" && copying != "active" && copying != "copying" || station != "eu-west-0a" && copying != "active" {
					continue
				}
				g := c.item("groups.json", "replication_consistency_groups")
				g["status"], g["replication_status"], g["priority_station"] = status, copying, station
				id := g["id"].(string)
				c.answer("/os-vendor-replication-consistency-groups/"+id, item{"replication_consistency_group": g})
				c.answerFile("/os-vendor-replications", "replications.json")
				out = append(out, read{words(status, copying, side(station)), c.read(evs.NewReader, id, "eu-west-0")})
			}
		}
	}
	return out
}

func dwsGroups(t *testing.T, statuses []string) (out []read) {
	c := newCloud(t, "dws")
	for _, roles := range [][]string{{"primary", "standby"}, {"standby", "primary"}, {"odd", "odd"}} {
		for _, status := range statuses {
			listed, detail := c.item("list.json", "disaster_recovery"), c.item("detail.json", "disaster_recovery")
			listed["status"], detail["status"] = status, status
			for i, which := range []string{"primary_cluster", "standby_cluster"} {
				listed[which+"_role"] = roles[i]
				detail[which].(item)["role"] = roles[i]
			}
			id := listed["id"].(string)
			c.answer("/disaster-recoveries", item{"disaster_recovery": []item{listed}})
			c.answer("/disaster-recovery/"+id, item{"disaster_recovery": detail})
			c.answerFile("/show-progress", "progress.json")
			out = append(out, read{words(status, "", side(roles[0])), c.read(dws.NewReader, id, "cn-north-4")})
		}
	}
	return out
}

func ebsGroups(t *testing.T, statuses []string) (out []read) {
	c := newCloud(t, "ebs")
	for _, from := range []string{"cn-beijing", "cn-shanghai", "odd"} {
		for _, status := range statuses {
			g := c.item("groups.json", "ReplicaGroups")
			if g["Status"], g["SourceRegionId"] = status, from; from == "cn-shanghai" {
				g["SourceZoneId"], g["DestinationRegionId"], g["DestinationZoneId"] = g["DestinationZoneId"], "cn-beijing", g["SourceZoneId"]
			}
			c.answer("DescribeDiskReplicaGroups", item{"ReplicaGroups": []item{g}})
			c.answerFile("DescribeDiskReplicaPairs", "pairs.json")
			out = append(out, read{words(status, "", side(from)), c.read(ebs.NewReader, "pg-1", "cn-beijing")})
		}
	}
	return out
}

// side is how the lattice calls the direction that an answer tells.
func side(told string) string {
	switch told {
	case "source", "primary", "eu-west-0a", "cn-beijing":
		return ""
	case "odd":
		return "direction odd"
	}
	return "reversed"
}

func words(status, copying, side string) string {
	out := []string{strconv.Quote(status)}
	if copying != "" {
		out[0] = strconv.Quote(status + "/" + copying)
	}
	if side != "" {
		out = append(out, side)
	}
	return strings.Join(out, " ")
}

// cloud answers what ends in a path, or has that action, with the samples of a
// provider's package, changed.
type latticeCloud struct {
	t       *testing.T
	folder  string
	url     string
	answers map[string]string
}

func newCloud(t *testing.T, name string) *latticeCloud {
	c := &latticeCloud{t: t, folder: filepath.Join("..", "provider", name, "testdata"), answers: map[string]string{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *latticeCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for path, body := range c.answers {
		if strings.HasSuffix(r.URL.Path, path) || r.URL.Query().Get("Action") == path {
			_, _ = w.Write([]byte(body))
			return
		}
	}
	http.NotFound(w, r)
}

func (c *latticeCloud) file(name string) []byte {
	b, err := os.ReadFile(filepath.Join(c.folder, name))
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

// item is the object of a sample, or the first of its list.
func (c *latticeCloud) item(name, field string) item {
	var answer map[string]json.RawMessage
	var list []item
	if err := json.Unmarshal(c.file(name), &answer); err != nil {
		c.t.Fatal(err)
	}
	if err := json.Unmarshal(answer[field], &list); err == nil {
		return list[0]
	}
	var one item
	if err := json.Unmarshal(answer[field], &one); err != nil {
		c.t.Fatal(err)
	}
	return one
}

func (c *latticeCloud) answer(path string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		c.t.Fatal(err)
	}
	c.answers[path] = string(b)
}

func (c *latticeCloud) answerFile(path, name string) { c.answers[path] = string(c.file(name)) }

func (c *latticeCloud) read(reader func(provider.Settings) (provider.Reader, error), id, region string) replication.Group {
	r, err := reader(provider.Settings{
		Account: "acct", Region: region, PrimaryRegion: region, ProjectID: "0123456789abcdef0123456789abcdef", Endpoint: c.url,
		PrimaryZone: "eu-west-0a", SecondaryZone: "eu-west-0b", Timeout: time.Minute, Meter: provider.NopMeter{}, UserAgent: "drwatch/test",
		Now:         func() time.Time { return t0 },
		Credentials: func() (provider.Credentials, error) { return provider.Credentials{AccessKey: "a", SecretKey: "s"}, nil },
	})
	if err != nil {
		c.t.Fatal(err)
	}
	g, err := r.Read(c.t.Context(), id)
	if err != nil {
		c.t.Fatalf("%s: %v", c.folder, err)
	}
	return g
}

// cases are the words that a function's switches know, from its source: a status
// that is new there is new in the lattice.
func cases(t *testing.T, file, function string) (out []string) {
	ast.Inspect(parsed(t, file).Scope.Lookup(function).Decl.(*ast.FuncDecl), func(n ast.Node) bool {
		if clause, ok := n.(*ast.CaseClause); ok {
			out = append(out, literals(clause.List)...)
		}
		return true
	})
	return unique(t, file, out)
}

// keysOf are the keys of a table.
func keysOf(t *testing.T, file, table string) (out []string) {
	spec := parsed(t, file).Scope.Lookup(table).Decl.(*ast.ValueSpec)
	for _, e := range spec.Values[0].(*ast.CompositeLit).Elts {
		out = append(out, literals([]ast.Expr{e.(*ast.KeyValueExpr).Key})...)
	}
	return unique(t, file, out)
}

func parsed(t *testing.T, file string) *ast.File {
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "provider", file), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func literals(es []ast.Expr) (out []string) {
	for _, e := range es {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			s, _ := strconv.Unquote(lit.Value)
			out = append(out, s)
		}
	}
	return out
}

// unique keeps the order: the first is the status in which all is well.
func unique(t *testing.T, file string, words []string) (out []string) {
	for _, w := range words {
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	if len(out) < 5 {
		t.Fatalf("%s: found only the statuses %q: the test does not see them any more", file, out)
	}
	return out
}

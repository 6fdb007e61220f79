package traps_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// ban is something that no code of ours may do: what a trap needs to snap shut,
// and what we can do without. Each has an example that it must find.
type ban struct {
	name string
	// One of these, matched against the text of each string, each call or
	// selector, and each import.
	text, expr, path *regexp.Regexp
	except           string // the file or function that may, as path or path:function
	under            string // the folder that it is about; "" is all
	example          string
}

func bans() []ban {
	re := regexp.MustCompile
	const huawei, aliyun = `^github\.com/huaweicloud/huaweicloud-sdk-go-v3/`, `^github\.com/aliyun/alibaba-cloud-sdk-go/`
	return []ban{
		// A call that changes something is sent once.
		{name: "retries of Huawei's SDK", expr: re(`\.WithRetry\(`), example: `func f() { x.WithRetry(3, nil, nil) }`},
		{name: "retries of Alibaba's SDK", expr: re(`\.WithAutoRetry\(true\)|\.AutoRetry$|\.(With)?MaxRetryTime\b`), example: `func f() { sdk.NewConfig().WithAutoRetry(true) }`},
		{name: "Go's transport sends again what has such a key", text: re(`(?i)^(x-)?idempotency-key$`), example: `const h = "Idempotency-Key"`},
		// Nothing is asked of a service that nobody configured.
		{name: "region tables of the SDK", path: re(huawei + `.*/region$`), example: `import "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/sdrs/v1/region"`},
		{name: "regions, which the SDK looks up", expr: re(`\.WithRegion\(`), example: `func f() { b.WithRegion(r) }`},
		{name: "Alibaba's endpoint table, which all clients share", expr: re(`\.(AddEndpointMapping|SetEndpointRules)\(`), example: `func f() { endpoints.AddEndpointMapping("a", "b", "c") }`},
		// Keys are ours to find: the SDKs ask the machine's metadata when there are none.
		{name: "credential chains of Huawei's SDK", path: re(huawei + `core/auth/(provider|env|cache)$`), example: `import "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/provider"`},
		{name: "credential chains of Alibaba's SDK", path: re(aliyun + `sdk/auth/credentials/provider`), example: `import "github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials/provider"`},
		{name: "a client without keys of its own", expr: re(`\.NewClientWithOptions\(.*, nil\)`), example: `func f() { sdk.NewClientWithOptions("r", c, nil) }`},
		// What panics on a bad value.
		{name: "the variants of Huawei's SDK that panic", expr: re(`\b(New\w*(Client|Credentials)Builder|Client|Credentials|b|builder)\b.*\.Build\(\)`), except: "internal/provider/huawei/call.go:define", under: "internal/provider", example: `func f() { basic.NewCredentialsBuilder().WithAk("a").Build() }`},
		{name: "regions by name, which panics on an unknown one", expr: re(`^(region|regions|coreregion)\.ValueOf\(`), example: `func f() { region.ValueOf("x") }`},
		// A timeout of one request is that of all later ones.
		{name: "timeouts of single requests", expr: re(`\.Set(Read|Connect)Timeout\(`), example: `func f() { req.SetReadTimeout(t) }`},
		// What destroys.
		{name: "DWS: recovery, which drops one side's data", text: re(`(^|/)recovery(/|$)|^RestoreDisaster$`), under: "internal/provider", example: `const p = "/recovery"`},
		{name: "updates", expr: re(`^http\.Method(Put|Patch)$`), under: "internal/provider", example: `func f() { g(http.MethodPut) }`},
		{name: "deletes, but for a drill that a person clears", expr: re(`^http\.MethodDelete$`), except: "internal/provider/sdrs/operator.go:clearDrill", under: "internal/provider", example: `func f() { g(http.MethodDelete) }`},
		{name: "methods that are not named", text: re(`^(PUT|PATCH|DELETE)$`), under: "internal/provider", example: `const m = "DELETE"`},
		{
			name: "operations that create, change or delete what is protected", under: "internal/provider",
			text:    re(`^(Delete(All)?(ServerGroup)?FailureJobs?|(Create|Delete|Update)(DisasterRecovery|DisasterInfo|ProtectionGroup|Replication\w*|ProtectedInstance)|(Create|Modify|Delete)DiskReplica(Group|Pair)|(Add|Remove)DiskReplicaPair|os-extend-replication-volumes)$`),
			example: `const op = "DeleteDisasterRecovery"`,
		},
		{name: "failed jobs are only listed", text: re(`failure-jobs/`), under: "internal/provider", example: `const p = "/v1/{project_id}/task-center/failure-jobs/" `},
		{name: "a filter whose value has a space too much", text: re(`(?i)stop_protected`), example: `const s = "stop_protected"`},
		{name: "the same by its name in the SDK", expr: re(`\.STOP_PROTECTED$`), example: `func f() { g(e.STOP_PROTECTED) }`},
		// The SDK without support can be exchanged in one file.
		{name: "Alibaba's SDK in one file", path: re(`^github\.com/aliyun/`), except: "internal/provider/ebs/client.go", example: `import "github.com/aliyun/alibaba-cloud-sdk-go/sdk"`},
	}
}

// breaks lists where a file does what is banned.
func (b ban) breaks(file string, fset *token.FileSet, f *ast.File) []string {
	if !strings.HasPrefix(file, b.under) || b.except == file {
		return nil
	}
	var found []string
	hit := func(pos token.Pos, what string) {
		found = append(found, file+":"+strconv.Itoa(fset.Position(pos).Line)+": "+b.name+": "+what)
	}
	for _, decl := range f.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && b.except == file+":"+fn.Name.Name {
			continue
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				if p, _ := strconv.Unquote(n.Path.Value); b.path != nil && b.path.MatchString(p) {
					hit(n.Pos(), p)
				}
				return false
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil && b.text != nil && b.text.MatchString(s) {
					hit(n.Pos(), n.Value)
				}
			case *ast.CallExpr, *ast.SelectorExpr:
				if s := types.ExprString(n.(ast.Expr)); b.expr != nil && b.expr.MatchString(s) {
					hit(n.Pos(), s)
					return false
				}
			}
			return true
		})
	}
	return found
}

func TestNothingDoesWhatIsBanned(t *testing.T) {
	files := 0
	for _, top := range []string{"internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(root, path)
			switch {
			case err != nil:
				return err
			case d.IsDir() && rel == filepath.Join("internal", "cloudsim"): // it has to offer what nobody may ask
				return filepath.SkipDir
			case d.IsDir(), filepath.Ext(path) != ".go", strings.HasSuffix(path, "_test.go"):
				return nil
			}
			files++
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, b := range bans() {
				for _, fault := range b.breaks(filepath.ToSlash(rel), fset, f) {
					t.Error(fault)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Fatalf("only %d files: the test looks at the wrong tree", files)
	}
}

// Each ban finds its example.
func TestBansBite(t *testing.T) {
	for _, b := range bans() {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, "x.go", "package x\n"+b.example, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("%s: %v", b.name, err)
		}
		if got := b.breaks(filepath.Join(b.under, "x.go"), fset, f); len(got) != 1 {
			t.Errorf("%s: its example is found %d times: %v", b.name, len(got), got)
		}
	}
}

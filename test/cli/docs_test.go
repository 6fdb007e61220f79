package cli_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fence is one fenced block of a page.
type fence struct {
	page string
	line int
	info string // what stands after the fence: "yaml config", "console"
	text string
}

func (f fence) String() string { return fmt.Sprintf("%s:%d", f.page, f.line) }

// fences are all fenced blocks of the README, the changelog and the pages.
func fences(t *testing.T) []fence {
	t.Helper()
	pages := []string{"README.md", "CHANGELOG.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".md" {
			rel, _ := filepath.Rel(root, path)
			pages = append(pages, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var out []fence
	for _, page := range pages {
		b, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fencesOf(page, string(b))...)
	}
	return out
}

func fencesOf(page, text string) []fence {
	var out []fence
	var open *fence
	for i, line := range strings.Split(text, "\n") {
		mark, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && open == nil:
			open = &fence{page: page, line: i + 1, info: strings.TrimSpace(mark)}
		case isFence:
			out = append(out, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return out
}

// TestExamplesInPages checks each YAML example that is marked as a configuration
// or a rule file, and runs those marked as tests of rules, as the reader would.
func TestExamplesInPages(t *testing.T) {
	checked := map[string]int{}
	for _, f := range fences(t) {
		kind, marked := strings.CutPrefix(f.info, "yaml ")
		if !marked {
			continue
		}
		t.Run(f.String(), func(t *testing.T) {
			args := []string{"check", kind}
			if kind == "tests" {
				args = []string{"test", "rules"}
			} else if kind != "config" && kind != "rules" {
				t.Fatalf("marked as %q, want config, rules or tests", kind)
			}
			dir := t.TempDir()
			if err := os.CopyFS(filepath.Join(dir, "rules"), os.DirFS(filepath.Join(root, "rules"))); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "example.yml")
			if err := os.WriteFile(file, []byte(f.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if said, code := run(t, root, append(args, file)...); code != 0 {
				t.Errorf("exit code %d:\n%s", code, said)
			}
		})
		checked[kind]++
	}
	if checked["config"] < 3 || checked["rules"] < 2 || checked["tests"] < 1 {
		t.Errorf("only %v examples were found: are they still marked?", checked)
	}
}

// asking are the commands that ask a daemon.
var asking = []string{
	"status", "groups", "rules", "incidents", "explain", "approve", "abort", "ack", "freeze", "unfreeze",
	"failover", "switchover", "reprotect", "protection", "drill",
}

// TestCommandsInPages runs each drwatch command of the pages as far as it can be
// run here: checks on files that are in the repository for real, questions to a
// daemon that is not there, the rest up to its parsed command line.
func TestCommandsInPages(t *testing.T) {
	found := 0
	for _, f := range fences(t) {
		if f.info != "console" && f.info != "sh" {
			continue
		}
		for _, c := range commands(f.text) {
			words, err := split(c)
			if err != nil {
				t.Errorf("%s: %s: %v", f, c, err)
				continue
			}
			if filepath.Base(words[0]) != "drwatch" {
				continue
			}
			found++
			args, want := runnable(words[1:])
			if said, code := run(t, root, args...); code != want {
				t.Errorf("%s: %s\nrun as drwatch %s\nexit code %d, want %d:\n%s", f, c, strings.Join(args, " "), code, want, said)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d commands were found in the pages", found)
	}
}

// commands are the lines of a block that a person types: those after "$ ", or
// all when there is none.
func commands(text string) []string {
	var all, typed []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if c, ok := strings.CutPrefix(line, "$ "); ok {
			typed = append(typed, c)
		}
		if line != "" {
			all = append(all, line)
		}
	}
	if typed != nil {
		return typed
	}
	return all
}

// split takes a command line apart at spaces, quotes kept together, up to what
// the shell would take for itself.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	in := false
	end := func() {
		if in {
			words = append(words, word.String())
			word.Reset()
			in = false
		}
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, in = r, true
		case quote == 0 && (r == '#' || r == '&' || r == '|' || r == '>') && !in:
			return words, nil
		case quote == 0 && r == ' ':
			end()
		default:
			in = true
			word.WriteRune(r)
		}
	}
	end()
	if quote != 0 {
		return nil, fmt.Errorf("a quote is not closed")
	}
	return words, nil
}

// runnable is a command as it can be run here, with the exit code it then has.
func runnable(args []string) ([]string, int) {
	args = slices.Clone(args)
	if len(args) > 0 && slices.Contains(asking, args[0]) {
		if i := slices.Index(args, "--url"); i >= 0 {
			args = slices.Delete(args, i, i+2)
		}
		return append(args, "--url", "http://127.0.0.1:1"), 2
	}
	if len(args) > 2 && (args[0] == "check" || args[0] == "test") && !slices.ContainsFunc(args[2:], missing) {
		if slices.Contains(args, "--strict") {
			return args, 3
		}
		return args, 0
	}
	return append(args, "--help"), 0
}

func missing(arg string) bool {
	if strings.HasPrefix(arg, "--") {
		return false
	}
	_, err := os.Stat(filepath.Join(root, arg))
	return err != nil
}

// TestLinksInPages finds links to files that are not there.
func TestLinksInPages(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range fences(t) {
		seen[f.page] = true
	}
	for page := range seen {
		for n, line := range strings.Split(read(t, filepath.Join(root, page)), "\n") {
			for _, part := range strings.Split(line, "](")[1:] {
				target, _, _ := strings.Cut(part, ")")
				target, _, _ = strings.Cut(target, "#")
				if target == "" || strings.Contains(target, "://") {
					continue
				}
				if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), target)); err != nil {
					t.Errorf("%s:%d: link to %s: %v", page, n+1, target, err)
				}
			}
		}
	}
}

// run runs drwatch in a folder and returns what it said and its exit code.
func run(t *testing.T, dir string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(filepath.Join(built.bin, "drwatch"), args...)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatalf("drwatch %s: %v", strings.Join(args, " "), err)
	}
	return string(said), cmd.ProcessState.ExitCode()
}

package arch

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module   = "github.com/cleave-mesh/cleave/"
	root     = "../.."
	maxLines = 800
)

// source is one hand-written Go file of the repository.
type source struct {
	name    string // slash-separated, from the repository's root
	room    string // its package's folder
	lines   int
	test    bool
	imports []string // of this module, without the module's path
	doc     bool     // has a package doc comment
}

func TestImportsRunOneWay(t *testing.T) {
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		rule, ok := ruleFor(f.room)
		if !ok {
			t.Errorf("%s: room %s has no import rule in rules_test.go: add one", f.name, f.room)
			continue
		}
		for _, imp := range f.imports {
			if imp != f.room && !within(imp, rule.may) {
				t.Errorf("%s imports %s; %s may import only %v", f.name, imp, rule.room, rule.may)
			}
		}
	}
}

func TestDecidersArePure(t *testing.T) {
	banned := []string{"net", "os", "net/http", "syscall", "math/rand", "log", "log/slog"}
	for _, f := range parsed(t) {
		if f.test || !slices.Contains(pure, f.room) {
			continue
		}
		for _, spec := range f.tree.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			if slices.Contains(banned, p) {
				t.Errorf("%s imports %s: what decides is pure", f.name, p)
			}
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok && f.room != "planner" {
				t.Errorf("%s:%d starts a goroutine: what decides is pure", f.name, f.fset.Position(g.Pos()).Line)
			}
			if sel, ok := n.(*ast.SelectorExpr); ok && f.room != "planner" {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Sleep", "After", "NewTimer"}, sel.Sel.Name) {
					t.Errorf("%s:%d reads the clock with time.%s: now comes in as an argument", f.name, f.fset.Position(sel.Pos()).Line, sel.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestEveryPackageHasOneDoc(t *testing.T) {
	docs := map[string][]string{}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		if _, ok := docs[f.room]; !ok {
			docs[f.room] = nil
		}
		if f.doc {
			docs[f.room] = append(docs[f.room], f.name)
		}
	}
	for room, files := range docs {
		if len(files) != 1 {
			t.Errorf("package %s has %d doc comments %v, want one", room, len(files), files)
		}
	}
}

func TestNoFileIsTooLong(t *testing.T) {
	for _, f := range sources(t) {
		if f.lines > maxLines {
			t.Errorf("%s has %d lines, at most %d: split it by concept", f.name, f.lines, maxLines)
		}
	}
}

func TestNoSleepInTests(t *testing.T) {
	for _, f := range parsed(t) {
		if !f.test {
			continue
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" && !usesSynctest(f.tree) {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
					t.Errorf("%s:%d sleeps: wait for an event, or use testing/synctest", f.name, f.fset.Position(sel.Pos()).Line)
				}
			}
			return true
		})
	}
}

func usesSynctest(f *ast.File) bool {
	return slices.ContainsFunc(f.Imports, func(s *ast.ImportSpec) bool { return s.Path.Value == `"testing/synctest"` })
}

type parsedFile struct {
	source
	tree *ast.File
	fset *token.FileSet
}

func sources(t *testing.T) []source {
	var out []source
	for _, f := range parsed(t) {
		out = append(out, f.source)
	}
	return out
}

// parsed reads every hand-written Go file below the root, generated ones and nested modules left out.
func parsed(t *testing.T) []parsedFile {
	t.Helper()
	var out []parsedFile
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := d.Name()
			if p != root && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata") {
				return filepath.SkipDir
			}
			if p != root {
				if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil {
					return filepath.SkipDir
				}
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		tree, err := parser.ParseFile(fset, p, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if ast.IsGenerated(tree) {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		f := source{
			name: name, room: path.Dir(name), lines: bytes.Count(text, []byte("\n")),
			test: strings.HasSuffix(name, "_test.go"), doc: tree.Doc != nil,
		}
		for _, spec := range tree.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if rest, ok := strings.CutPrefix(imp, module); ok {
				f.imports = append(f.imports, rest)
			}
		}
		out = append(out, parsedFile{f, tree, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("found only %d files below %s", len(out), root)
	}
	return out
}

// within reports whether a room is one of the prefixes, or lies below one that ends in "/...".
func within(room string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool {
		if below, ok := strings.CutSuffix(p, "/..."); ok {
			return room == below || strings.HasPrefix(room, below+"/")
		}
		return room == p
	})
}

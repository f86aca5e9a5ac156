// Command weight measures what a small server weighs that is made with Grantwell,
// fosite, go-oauth2 or zitadel/oidc: packages, modules, lines of go.sum and bytes.
// It prints the table of README, and with -write puts it there. The go command may
// download modules for it.
//
//	go run -C internal/bench ./weight
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
)

const (
	begin = "<!-- weight -->\n"
	end   = "<!-- /weight -->"
)

func main() {
	write := flag.Bool("write", false, "write the table into README.md")
	flag.Parse()
	ctx := context.Background()
	root, err := findRoot(ctx)
	if err != nil {
		log.Fatal(err)
	}
	table, err := makeTable(ctx, root)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(table)
	if !*write {
		return
	}
	if err := writeTable(filepath.Join(root, "README.md"), table); err != nil {
		log.Fatal(err)
	}
}

// findRoot returns the folder of the root module, wherever below internal/bench the
// command runs.
func findRoot(ctx context.Context) (string, error) {
	dir, err := run(ctx, "", "list", "-m", "-f", "{{.Dir}}", grantwell.module)
	return strings.TrimSpace(dir), err
}

// makeTable measures all programs.
func makeTable(ctx context.Context, root string) (string, error) {
	rows := []string{
		"",
		"packages compiled, without the standard library",
		"of these from other modules",
		"modules in the build list",
		"lines of go.sum",
		"binary of the quick start, MB",
	}
	for i := range rows {
		rows[i] = strings.TrimRight("| "+rows[i], " ") + " |"
	}
	rule := "|---|"
	for _, p := range append([]program{grantwell}, peers...) {
		f, err := p.measure(ctx, root)
		if err != nil {
			return "", err
		}
		for i, cell := range append([]string{strings.TrimSpace(p.name + " " + f.version)}, f.cells()...) {
			rows[i] += " " + cell + " |"
		}
		rule += "---|"
	}
	return rows[0] + "\n" + rule + "\n" + strings.Join(rows[1:], "\n") + "\n", nil
}

// cells are the figures as they stand in the table.
func (f figures) cells() []string {
	return []string{
		fmt.Sprint(f.packages),
		fmt.Sprint(f.foreign),
		fmt.Sprint(f.modules),
		fmt.Sprint(f.sums),
		fmt.Sprintf("%.1f", float64(f.binary)/1e6),
	}
}

// cut returns what stands before the table, the table and what stands after it.
func cut(text string) (before, table, after string, err error) {
	before, rest, ok := strings.Cut(text, begin)
	if !ok {
		return "", "", "", errors.New("weight: README.md has no " + strings.TrimSpace(begin))
	}
	table, after, ok = strings.Cut(rest, end)
	if !ok {
		return "", "", "", errors.New("weight: README.md has no " + end)
	}
	return before, table, after, nil
}

func writeTable(path, table string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, _, after, err := cut(string(text))
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(before+begin+table+end+after), 0o600)
}

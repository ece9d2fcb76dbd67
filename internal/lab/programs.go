package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A program is an executable that fits, however it was had.
type program struct {
	path    string
	loader  []string // dynamic loader and its arguments, for a program of an unpacked root
	root    string   // the unpacked root; empty for an installed program
	dir     string   // the working directory it needs, if any
	version version
	env     string // the variable that names another one
}

// command runs the program, through the loader of its own root where it has one.
func (p *program) command(args ...string) *exec.Cmd {
	argv := slices.Concat(p.loader, []string{p.path}, args)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = p.dir
	return cmd
}

// A programKind is a program that a Lab knows how to find.
type programKind struct {
	name     string   // as people call it
	env      string   // names a binary that is used instead of searching
	binaries []string // names it has in PATH
	inRoot   string   // where packages puts it
	packages packageSet
	oldest   version
	mariadb  bool // "mysqld" may be either; its --version tells
}

// Older MySQL servers spell replication in other words (8.0.26 brought
// rpl_semi_sync_source_enabled); older MariaDB servers lack grants used here.
func mysqldKind() programKind {
	return programKind{
		name: "mysqld", env: "BATON_LAB_MYSQLD", binaries: []string{"mysqld"},
		inRoot: "usr/sbin/mysqld", packages: mysqlPackages(), oldest: version{8, 0, 26},
	}
}

func mariadbdKind() programKind {
	return programKind{
		name: "mariadbd", env: "BATON_LAB_MARIADBD", binaries: []string{"mariadbd", "mysqld"},
		inRoot: "usr/sbin/mariadbd", packages: mariadbPackages(), oldest: version{10, 5, 2}, mariadb: true,
	}
}

func prometheusKind() programKind {
	return programKind{
		name: "prometheus", env: "BATON_LAB_PROMETHEUS", binaries: []string{"prometheus"},
		inRoot: "usr/bin/prometheus", packages: prometheusPackages(), oldest: version{2, 40, 0},
	}
}

func promtoolKind() programKind {
	return programKind{
		name: "promtool", env: "BATON_LAB_PROMTOOL", binaries: []string{"promtool"},
		inRoot: "usr/bin/promtool", packages: prometheusPackages(), oldest: version{2, 40, 0},
	}
}

func alertmanagerKind() programKind {
	return programKind{
		name: "alertmanager", env: "BATON_LAB_ALERTMANAGER", binaries: []string{"alertmanager", "prometheus-alertmanager"},
		inRoot: "usr/bin/prometheus-alertmanager", packages: prometheusPackages(), oldest: version{0, 22, 0},
	}
}

// find returns a program of the kind: the one the environment names, or an
// installed one that fits, or a fetched one.
func (l *Lab) find(ctx context.Context, kind programKind) (*program, error) {
	l.mu.Lock()
	found := l.programs[kind.name]
	l.mu.Unlock()
	if found != nil {
		return found, nil
	}
	p, err := l.search(ctx, kind)
	if err != nil {
		return nil, err
	}
	p.env = kind.env
	l.mu.Lock()
	l.programs[kind.name] = p
	l.mu.Unlock()
	return p, nil
}

func (l *Lab) search(ctx context.Context, kind programKind) (*program, error) {
	if path := os.Getenv(kind.env); path != "" {
		p := &program{path: path}
		if err := l.check(ctx, kind, p); err != nil {
			return nil, fmt.Errorf("%s: %w", kind.env, err)
		}
		return p, nil
	}
	var unfit error
	for _, path := range installed(kind) {
		p := &program{path: path}
		err := l.check(ctx, kind, p)
		if err == nil {
			return p, nil
		}
		unfit = errors.Join(unfit, err)
	}
	root, err := l.fetch(ctx, kind.packages)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind.name, errors.Join(unfit, err))
	}
	p := &program{path: filepath.Join(root, kind.inRoot), root: root}
	if slices.Contains(kind.packages.fixed, kind.inRoot) {
		p.dir = filepath.Join(root, kind.packages.data)
	}
	if p.loader, err = loaderOf(root); err != nil {
		return nil, fmt.Errorf("%s: %w", kind.name, err)
	}
	if err := l.check(ctx, kind, p); err != nil {
		return nil, fmt.Errorf("%s: %w", kind.name, err)
	}
	return p, nil
}

// check asks the program for its version and refuses one that does not fit.
func (l *Lab) check(ctx context.Context, kind programKind, p *program) error {
	out, err := l.spawner.run(ctx, p.command("--version"))
	if err != nil {
		return fmt.Errorf("ask %s for its version: %w: %s", p.path, err, strings.TrimSpace(out))
	}
	if strings.Contains(out, "MariaDB") != kind.mariadb {
		return fmt.Errorf("%s is not %s but %q", p.path, kind.name, strings.TrimSpace(out))
	}
	v, ok := parseVersion(out)
	if !ok {
		return fmt.Errorf("%s does not tell its version: %q", p.path, strings.TrimSpace(out))
	}
	if v.before(kind.oldest) {
		return fmt.Errorf("%s is version %s, and %s is needed", p.path, v, kind.oldest)
	}
	p.version = v
	return nil
}

// installed lists the places where distributions put servers, many of which
// are not in an ordinary user's PATH.
func installed(kind programKind) []string {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	dirs = append(dirs, "/usr/local/sbin", "/usr/sbin", "/usr/libexec")
	for _, brew := range []string{"/opt/homebrew/opt", "/usr/local/opt"} {
		for _, formula := range []string{"mysql", "mariadb", "prometheus", "alertmanager"} {
			dirs = append(dirs, filepath.Join(brew, formula, "bin"))
		}
	}
	var paths []string
	for _, name := range kind.binaries {
		for _, dir := range dirs {
			path, err := exec.LookPath(filepath.Join(dir, name))
			if err == nil && filepath.IsAbs(path) && !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// A version is major, minor and patch.
type version [3]int

var versionText = regexp.MustCompile(`(?i)\bver(?:sion)?\s+v?(\d+)\.(\d+)(?:\.(\d+))?`)

func parseVersion(text string) (version, bool) {
	m := versionText.FindStringSubmatch(text)
	if m == nil {
		return version{}, false
	}
	var v version
	for i := range v {
		v[i], _ = strconv.Atoi(m[i+1])
	}
	return v, true
}

func (v version) before(w version) bool { return slices.Compare(v[:], w[:]) < 0 }

func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

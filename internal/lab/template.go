package lab

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// template returns an initialised data directory for the program, with the
// accounts in it. Initialising takes seconds and copying takes none.
func (l *Lab) template(ctx context.Context, flavor Flavor, p *program) (string, error) {
	// Whatever the content depends on is in the name, so that a change of
	// grants or layout makes a new template.
	recipe := strings.Join(append(append(layout(flavor), accounts(flavor)...), p.path), "\n")
	sum := sha256.Sum256([]byte(recipe))
	parent := filepath.Join(l.cache, "templates")
	dir := filepath.Join(parent, fmt.Sprintf("%s-%s-%x", flavor, p.version, sum[:4]))
	if isDir(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	lock, err := lockFile(ctx, dir+".lock")
	if err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	defer func() { _ = lock.unlock() }()
	if isDir(dir) {
		return dir, nil
	}
	l.progress(fmt.Sprintf("initialising a data directory for %s %s (once)", flavor, p.version))
	temp := dir + ".part"
	if err := os.RemoveAll(temp); err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	defer os.RemoveAll(temp)
	if err := os.MkdirAll(temp, 0o750); err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	fill := l.fillMySQL
	if flavor == MariaDB {
		fill = l.fillMariaDB
	}
	if err := fill(ctx, p, temp); err != nil {
		hint := ""
		if p.root == "" {
			hint = fmt.Sprintf(" (an installed server that a security profile keeps from this directory? %s names another one)", p.env)
		}
		return "", fmt.Errorf("initialise a data directory with %s: %w%s", p.path, err, hint)
	}
	if err := os.Rename(filepath.Join(temp, "data"), dir); err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	return dir, nil
}

// fillMySQL initialises, and then runs the server once to make the accounts:
// while it initialises it refuses them.
func (l *Lab) fillMySQL(ctx context.Context, p *program, dir string) error {
	s := &Server{lab: l, flavor: MySQL, program: p, dir: dir, id: 1}
	var err error
	if s.port, err = l.ports.next(); err != nil {
		return err
	}
	config := configFile(place(MySQL, p), layout(MySQL), frugal(MySQL), []string{
		"datadir=" + s.dataDir(),
		"socket=sock", "pid_file=pid", "bind_address=127.0.0.1", fmt.Sprintf("port=%d", s.port),
		"skip_log_bin",
	})
	if err := os.WriteFile(s.configPath(), []byte(config), 0o644); err != nil {
		return err
	}
	out, err := l.spawner.run(ctx, p.command(serverArgs(s.configPath(), "--initialize-insecure")...))
	if err != nil {
		return fmt.Errorf("%w: %s", err, lastLines(out, 5))
	}
	if err := s.spawn(); err != nil {
		return err
	}
	defer s.proc.destroy()
	s.open("root", "")
	defer s.db.Close()
	if err := s.ready(ctx); err != nil {
		return err
	}
	if err := s.Exec(ctx, accounts(MySQL)...); err != nil {
		return err
	}
	if err := s.proc.stop(ctx); err != nil {
		return err
	}
	// A copy with the same UUID would be refused by its source.
	return os.Remove(filepath.Join(s.dataDir(), "auto.cnf"))
}

// fillMariaDB does what mariadb-install-db does, without its shell script and
// the programs that wants.
func (l *Lab) fillMariaDB(ctx context.Context, p *program, dir string) error {
	sql, err := mariadbSystemTables(p)
	if err != nil {
		return err
	}
	// The grant tables exist from here on, and must be read before they change.
	sql += "FLUSH PRIVILEGES;\n" + strings.Join(accounts(MariaDB), ";\n") + ";\n"

	s := &Server{dir: dir}
	if err := os.Mkdir(s.dataDir(), 0o750); err != nil {
		return err
	}
	config := configFile(place(MariaDB, p), layout(MariaDB), frugal(MariaDB), []string{
		"datadir=" + s.dataDir(),
		"skip_log_bin",
		"max_allowed_packet=8M",
	})
	if err := os.WriteFile(s.configPath(), []byte(config), 0o644); err != nil {
		return err
	}
	cmd := p.command(serverArgs(s.configPath(), "--bootstrap", "--enforce-storage-engine=")...)
	cmd.Stdin = strings.NewReader(sql)
	out, err := l.spawner.run(ctx, cmd)
	if err != nil {
		return fmt.Errorf("%w: %s", err, lastLines(out, 5))
	}
	return nil
}

func mariadbSystemTables(p *program) (string, error) {
	usr := filepath.Dir(filepath.Dir(p.path))
	if real, err := filepath.EvalSymlinks(p.path); err == nil && p.root == "" {
		usr = filepath.Dir(filepath.Dir(real))
	}
	var b strings.Builder
	b.WriteString("CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n")
	for _, name := range []string{"system_tables", "performance_tables", "system_tables_data"} {
		var found string
		// MariaDB 11 renamed the scripts.
		for _, file := range []string{"mysql_" + name + ".sql", "mariadb_" + name + ".sql"} {
			for _, share := range []string{"share/mysql", "share/mariadb", "share"} {
				if text := readFile(filepath.Join(usr, share, file)); text != "" && found == "" {
					found = text
				}
			}
		}
		if found == "" {
			return "", fmt.Errorf("no mysql_%s.sql below %s/share", name, usr)
		}
		b.WriteString(found)
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// serverArgs puts the file of options first, as servers demand.
func serverArgs(config string, args ...string) []string {
	all := []string{"--defaults-file=" + config}
	if os.Geteuid() == 0 {
		// Servers refuse to run as root unless they are told to.
		all = append(all, "--user=root")
	}
	return append(all, args...)
}

// copyTree copies the files below from, in parallel per directory.
func copyTree(from, to string) error {
	var files []string
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o750)
		}
		if d.Type().IsRegular() {
			files = append(files, rel)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	const workers = 4
	next := make(chan string)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for rel := range next {
				if err := copyFile(filepath.Join(from, rel), filepath.Join(to, rel)); err != nil {
					errs[i] = err
				}
			}
		})
	}
	for _, rel := range files {
		next <- rel
	}
	close(next)
	wg.Wait()
	return errors.Join(errs...)
}

// copyFile copies within the kernel where the file system can.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

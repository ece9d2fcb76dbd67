package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// A packageSet is a few Debian packages that are unpacked, with everything
// they depend on, into one private root.
type packageSet struct {
	name     string
	suite    string
	packages []string
	size     string // of the download, for the progress line

	// Programs that look for their data at an absolute path, and that path.
	fixed []string
	data  string
}

func mysqlPackages() packageSet {
	return packageSet{
		name: "mysql", suite: "sid", size: "about 75 MB",
		packages: []string{"mysql-server-core", "mysql-client-core"},
	}
}

func mariadbPackages() packageSet {
	return packageSet{
		name: "mariadb", suite: "bookworm", size: "about 30 MB",
		packages: []string{"mariadb-server-core"},
	}
}

func prometheusPackages() packageSet {
	return packageSet{
		name: "prometheus", suite: "bookworm", size: "about 60 MB",
		packages: []string{"prometheus", "prometheus-alertmanager"},
		fixed:    []string{"usr/bin/prometheus", "usr/bin/prometheus-alertmanager"},
		data:     "/usr/share/prometheus",
	}
}

// fetch returns the root of an unpacked set. Whoever comes first downloads it;
// whoever comes meanwhile waits for that.
func (l *Lab) fetch(ctx context.Context, set packageSet) (string, error) {
	parent := filepath.Join(l.cache, "packages")
	root := filepath.Join(parent, set.name+"-"+set.suite+"-"+runtime.GOARCH)
	if isDir(root) {
		return root, nil
	}
	apt, err := findApt(set)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("fetch %s: %w", set.name, err)
	}
	lock, err := lockFile(ctx, root+".lock")
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w", set.name, err)
	}
	defer func() { _ = lock.unlock() }()
	if isDir(root) {
		return root, nil
	}
	temp := root + ".part"
	if err := os.RemoveAll(temp); err != nil {
		return "", fmt.Errorf("fetch %s: %w", set.name, err)
	}
	defer os.RemoveAll(temp)
	l.progress(fmt.Sprintf("fetching %s from Debian %s (%s, once)", strings.Join(set.packages, " and "), set.suite, set.size))
	if err := l.download(ctx, apt, set, temp); err != nil {
		return "", fmt.Errorf("fetch %s: %w", set.name, err)
	}
	l.progress(fmt.Sprintf("unpacking %s", strings.Join(set.packages, " and ")))
	if err := l.unpack(ctx, temp); err != nil {
		return "", fmt.Errorf("fetch %s: %w", set.name, err)
	}
	for _, program := range set.fixed {
		if err := relocate(filepath.Join(temp, "root", program), set.data); err != nil {
			return "", fmt.Errorf("fetch %s: %w", set.name, err)
		}
	}
	if err := os.Rename(filepath.Join(temp, "root"), root); err != nil {
		return "", fmt.Errorf("fetch %s: %w", set.name, err)
	}
	return root, nil
}

// download lets apt resolve and fetch the set against a private list and an
// empty status file: it neither needs root nor touches the system.
func (l *Lab) download(ctx context.Context, apt aptSource, set packageSet, dir string) error {
	for _, sub := range []string{"lists/partial", "cache/archives/partial", "root"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	list := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", apt.keyring, apt.mirror, set.suite)
	sources, status := filepath.Join(dir, "sources.list"), filepath.Join(dir, "status")
	if err := os.WriteFile(sources, []byte(list), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(status, nil, 0o644); err != nil {
		return err
	}
	var options []string
	for _, o := range []string{
		"Dir::Etc::SourceList=" + sources,
		"Dir::Etc::SourceParts=/dev/null",
		"Dir::State::Lists=" + filepath.Join(dir, "lists"),
		"Dir::State::status=" + status,
		"Dir::State::extended_states=" + filepath.Join(dir, "extended_states"),
		"Dir::Cache=" + filepath.Join(dir, "cache"),
		"Dir::Log=" + dir,
		"Debug::NoLocking=1",
		// Without it root would download as _apt, who can not enter dir.
		"APT::Sandbox::User=root",
		// Foreign architectures would double the lists.
		"APT::Architectures=" + apt.architecture,
		// A mirror may be frozen. What it has is signed all the same, and
		// good enough for servers that live for minutes on a loopback port.
		"Acquire::Check-Valid-Until=false",
		"Acquire::Languages=none",
		"Acquire::Retries=3",
	} {
		options = append(options, "-o", o)
	}
	update := append(slices.Clip(options), "update")
	if err := l.apt(ctx, update); err != nil {
		return err
	}
	install := append(slices.Clip(options), "install", "--yes", "--no-install-recommends", "--download-only")
	return l.apt(ctx, append(install, set.packages...))
}

func (l *Lab) apt(ctx context.Context, args []string) error {
	cmd := exec.Command("apt-get", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	out, err := l.spawner.run(ctx, cmd)
	if err != nil {
		return fmt.Errorf("%w: %s", err, lastLines(out, 8))
	}
	// apt calls an unreachable mirror a warning when it updates.
	if strings.Contains(out, "Failed to fetch") || strings.Contains(out, "NO_PUBKEY") {
		return fmt.Errorf("apt-get: %s", lastLines(out, 8))
	}
	return nil
}

func (l *Lab) unpack(ctx context.Context, dir string) error {
	archives, err := filepath.Glob(filepath.Join(dir, "cache", "archives", "*.deb"))
	if err != nil {
		return err
	}
	if len(archives) == 0 {
		return errors.New("apt-get downloaded nothing")
	}
	for _, deb := range archives {
		out, err := l.spawner.run(ctx, exec.Command("dpkg", "-x", deb, filepath.Join(dir, "root")))
		if err != nil {
			return fmt.Errorf("unpack %s: %w: %s", filepath.Base(deb), err, lastLines(out, 3))
		}
	}
	return nil
}

// relocate makes a program look for its data below the working directory. It
// replaces the absolute path by a relative one of the same length: Debian's
// Alertmanager does not start without its templates, and there is no option
// that says where they are.
func relocate(program, data string) error {
	info, err := os.Stat(program)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	here := "." + strings.Repeat("/", len(data)-1)
	text = bytes.ReplaceAll(text, []byte(data), []byte(here))
	return os.WriteFile(program, text, info.Mode())
}

// loaderOf returns the dynamic loader of an unpacked root with its library
// path, so that the root's C library is used whatever the age of this machine's.
func loaderOf(root string) ([]string, error) {
	var loader string
	var libraries []string
	for _, lib := range []string{"usr/lib", "lib"} {
		found, _ := filepath.Glob(filepath.Join(root, lib, "*-linux-*", "ld-linux*.so.*"))
		if len(found) > 0 && loader == "" {
			loader = found[0]
		}
		dirs, _ := filepath.Glob(filepath.Join(root, lib, "*-linux-*"))
		for _, dir := range dirs {
			libraries = append(libraries, dir)
			// tcmalloc lives in a directory of its own.
			if tools := filepath.Join(dir, "libgoogle-perftools"); isDir(tools) {
				libraries = append(libraries, tools)
			}
		}
	}
	if loader == "" {
		return nil, fmt.Errorf("no dynamic loader in %s", root)
	}
	return []string{loader, "--library-path", strings.Join(libraries, ":")}, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestVersions(t *testing.T) {
	tests := []struct {
		text string
		want string
	}{
		{"/usr/sbin/mysqld  Ver 9.7.4-2 for debian-linux-gnu on x86_64 ((Debian))", "9.7.4"},
		{"/usr/sbin/mysqld  Ver 8.0.40-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))", "8.0.40"},
		{"mariadbd  Ver 10.11.18-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)", "10.11.18"},
		{"prometheus, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5+b5)", "2.42.0"},
		{"alertmanager, version v0.25.0 (branch: x)", "0.25.0"},
		{"server 5", ""},
		{"", ""},
	}
	for _, test := range tests {
		v, ok := parseVersion(test.text)
		got := ""
		if ok {
			got = v.String()
		}
		if got != test.want {
			t.Errorf("%q is version %q, want %q", test.text, got, test.want)
		}
	}
	if !(version{8, 0, 9}).before(version{8, 0, 26}) || (version{9, 0, 0}).before(version{8, 4, 9}) {
		t.Error("versions are not compared as numbers")
	}
}

// fake writes a program that prints a version.
func fake(t *testing.T, name, says string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+says+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNamedProgramMustFit(t *testing.T) {
	tests := []struct {
		name string
		kind programKind
		says string
		want string // in the error; empty when it fits
	}{
		{"fits", mysqldKind(), "mysqld  Ver 8.4.2 for Linux on x86_64 (MySQL Community Server - GPL)", ""},
		{"too old", mysqldKind(), "mysqld  Ver 5.7.44 for Linux on x86_64 (MySQL Community Server (GPL))", "version 5.7.44, and 8.0.26 is needed"},
		{"MariaDB called mysqld", mysqldKind(), "mysqld  Ver 10.11.6-MariaDB for debian-linux-gnu", "is not mysqld"},
		{"MariaDB fits", mariadbdKind(), "mariadbd  Ver 10.6.18-MariaDB for debian-linux-gnu", ""},
		{"MySQL called mariadbd", mariadbdKind(), "mysqld  Ver 8.4.2 for Linux on x86_64", "is not mariadbd"},
		{"no version", mysqldKind(), "hello", "does not tell its version"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t)
			path := fake(t, "server", test.says)
			t.Setenv(test.kind.env, path)
			p, err := l.find(t.Context(), test.kind)
			if test.want == "" {
				if err != nil || p.path != path {
					t.Errorf("found %v, %v, want %s", p, err, path)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.kind.env) {
				t.Errorf("error %v, want one with %q that names the variable", err, test.want)
			}
		})
	}
}

func TestInstalledProgramIsPreferred(t *testing.T) {
	path := fake(t, "mysqld", "mysqld  Ver 99.1.0 for Linux on x86_64")
	t.Setenv("PATH", filepath.Dir(path)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	p, err := newLab(t).find(t.Context(), mysqldKind())
	if err != nil || p.path != path || p.root != "" {
		t.Errorf("found %+v, %v, want %s", p, err, path)
	}
}

// TestFetchOnce lets several Labs want the same program at the same time.
func TestFetchOnce(t *testing.T) {
	paths := make([]string, 3)
	var wg sync.WaitGroup
	for i := range paths {
		l := newLab(t)
		wg.Go(func() {
			p, err := l.find(context.Background(), mariadbdKind())
			if err != nil {
				t.Error(err)
				return
			}
			paths[i] = p.path
		})
	}
	wg.Wait()
	for _, path := range paths {
		if path == "" || path != paths[0] {
			t.Errorf("programs %q, want one", paths)
		}
	}
}

func TestWhereNothingCanBeFetchedTheErrorSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	l, err := New(t.Context(), Options{Cache: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if len(installed(prometheusKind())) > 0 {
		t.Skip("this machine has a Prometheus outside of PATH")
	}
	_, err = l.find(t.Context(), prometheusKind())
	if _, ok := errors.AsType[*MissingError](err); !ok {
		t.Fatalf("error %v, want a MissingError", err)
	}
	for _, want := range []string{"prometheus", "BATON_LAB_PROMETHEUS"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}

func TestInstallCommand(t *testing.T) {
	tests := []struct {
		name, goos, osRelease, want string
	}{
		{"mysql", "darwin", "", "brew install mysql, or set BATON_LAB_MYSQLD"},
		{"mariadb", "linux", "NAME=Fedora\nID=fedora\n", "dnf install mariadb-server, or"},
		{"mariadb", "linux", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "dnf install mariadb-server, or"},
		{"mysql", "linux", "ID=ubuntu\nID_LIKE=debian\n", "apt-get install mysql-server-core"},
		{"prometheus", "linux", "ID=alpine\nPRETTY_NAME=\"not fedora\"\n", "install prometheus and put it on PATH"},
	}
	for _, test := range tests {
		if got := installCommand(test.name, test.goos, test.osRelease); !strings.Contains(got, test.want) {
			t.Errorf("%s on %s %q: %q, want %q in it", test.name, test.goos, test.osRelease, got, test.want)
		}
	}
}

func TestPortsAreNotSharedBetweenLabs(t *testing.T) {
	dir := t.TempDir()
	a, b := newPorts(dir), newPorts(dir)
	defer a.close()
	seen := map[int]bool{}
	for i := range 200 {
		p := []*ports{a, b}[i%2]
		port, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] {
			t.Fatalf("port %d was given twice", port)
		}
		seen[port] = true
	}
	b.close()
	if _, err := b.next(); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed one: %v, want %v", err, ErrClosed)
	}
}

func TestErrorsDoNotTellPasswords(t *testing.T) {
	for _, statement := range []string{
		"CHANGE REPLICATION SOURCE TO SOURCE_HOST='h', SOURCE_PASSWORD='secret', SOURCE_AUTO_POSITION=1",
		"CREATE USER 'u'@'%' IDENTIFIED BY 'secret'",
		"change master to master_password = 'secret'",
	} {
		if got := withoutPassword(statement); strings.Contains(got, "secret") {
			t.Errorf("%q tells the password", got)
		}
	}
}

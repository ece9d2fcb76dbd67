package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxSize is more than any configuration needs.
const maxSize = 4 << 20

// Load reads a file, checks it, and makes sure that the passwords and certificates it names can be read. The error joins everything that is
// wrong, one Problem each.
func Load(path string) (*File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer func() { _ = in.Close() }()
	data, err := io.ReadAll(io.LimitReader(in, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	f, p, err := parse(data, path)
	if err != nil {
		return nil, err
	}
	f.resolve(filepath.Dir(path))
	f.checkFiles(p)
	if err := p.err(); err != nil {
		return nil, err
	}
	return f, nil
}

// Parse reads and checks a configuration, which errors call by name. It looks at nothing but the data: relative paths stay relative.
func Parse(data []byte, name string) (*File, error) {
	f, _, err := parse(data, name)
	return f, err
}

// Check checks a configuration again that was changed or made by a program. The error names no place in a file.
func (f *File) Check() error {
	p := &problems{}
	f.check(p)
	return p.err()
}

func parse(data []byte, name string) (*File, *problems, error) {
	p := &problems{file: name, lines: make(map[string]int)}
	document := p.document(data)
	f := Default()
	if document != nil {
		d := &decoder{problems: p, cluster: func() Cluster {
			return Cluster{LagThreshold: f.Detection.LagThreshold, Recovery: f.Recovery}
		}}
		d.structure("", document, reflect.ValueOf(&f).Elem())
	}
	f.check(p)
	if err := p.err(); err != nil {
		return nil, nil, err
	}
	return &f, p, nil
}

// document returns the root of the only document, or nil where there is nothing in it.
func (p *problems) document(data []byte) *yaml.Node {
	if len(data) > maxSize {
		p.add("", "is larger than %d MiB; that is no configuration of Baton", maxSize>>20)
		return nil
	}
	var document, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&document); err != nil {
		if !errors.Is(err, io.EOF) {
			p.syntax(err)
		}
		return nil
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		p.lines["---"] = more.Line
		p.add("---", "begins a second document; one file holds one configuration")
		return nil
	}
	if len(document.Content) == 0 {
		return nil
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil
	}
	return root
}

// syntax reports what the yaml package says, without what it may quote: a stray * or & can make a password the name of an anchor.
func (p *problems) syntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if number, after, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(number); err == nil {
				p.lines[""], text = n, after
			}
		}
	}
	if strings.Contains(text, "anchor") {
		text = "an alias names an anchor that is not there; a text that begins with * or & must be in quotes"
	}
	p.list = append(p.list, &Problem{Text: "is not YAML: " + text, File: p.file, Line: p.lines[""]})
}

// resolve makes relative paths begin at the directory of the file.
func (f *File) resolve(dir string) {
	for _, path := range []*string{
		&f.DataDir, &f.MySQL.PasswordFile, &f.MySQL.ReplicationPasswordFile, &f.MySQL.TLS.CAFile, &f.MySQL.TLS.CertFile, &f.MySQL.TLS.KeyFile,
	} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
}

// checkFiles makes sure that what is read at use can be read.
func (f *File) checkFiles(p *problems) {
	for _, a := range []struct {
		prefix  string
		account Account
	}{{"mysql.", f.MySQL.Account()}, {"mysql.replication_", f.MySQL.Replication()}} {
		if _, err := a.account.Password(); err != nil {
			key := "password_file"
			if a.account.env != "" {
				key = "password_env"
			}
			p.add(a.prefix+key, "%s", err)
		}
	}
	if _, err := f.MySQL.TLS.Config(); err != nil {
		p.add("mysql.tls", "%s", err)
	}
}

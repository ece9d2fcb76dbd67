package collector

import (
	"slices"
	"strings"

	"github.com/batondb/baton/topology"
)

// Grants returns the statements that give an account, such as 'baton'@'%', what Baton needs on a server: to see, and to repair. They are also
// its documentation.
func Grants(v topology.Version, account string) []string {
	var out []string
	for _, n := range needs(v) {
		out = append(out, "GRANT "+strings.Join(n.privileges, ", ")+" ON "+n.on+" TO "+account)
	}
	return out
}

// need is a group of privileges on one object.
type need struct {
	on         string
	schema     string // "" for *.*
	table      string
	privileges []string
}

func needs(v topology.Version) []need {
	switch {
	case v.IsMariaDB() && v.AtLeast(10, 5, 2):
		return []need{{on: "*.*", privileges: []string{
			"PROCESS", "RELOAD", "BINLOG MONITOR", "SLAVE MONITOR",
			"REPLICATION MASTER ADMIN", "REPLICATION SLAVE ADMIN", "READ_ONLY ADMIN", "CONNECTION ADMIN", "BINLOG ADMIN",
		}}}
	case v.IsMariaDB() || !v.IsZero() && !v.AtLeast(8, 0, 0):
		return []need{{on: "*.*", privileges: []string{"PROCESS", "RELOAD", "REPLICATION CLIENT", "REPLICATION SLAVE", "SUPER"}}}
	}
	return []need{
		{on: "*.*", privileges: []string{
			"PROCESS", "RELOAD", "REPLICATION CLIENT", "REPLICATION SLAVE",
			"REPLICATION_SLAVE_ADMIN", "SYSTEM_VARIABLES_ADMIN", "CONNECTION_ADMIN",
		}},
		{on: "performance_schema.*", schema: "performance_schema", privileges: []string{"SELECT"}},
		{on: "mysql.slave_master_info", schema: "mysql", table: "slave_master_info", privileges: []string{"SELECT"}},
	}
}

// inSuper are the privileges that SUPER, where an account has it, stands for.
var inSuper = []string{
	"REPLICATION_SLAVE_ADMIN", "SYSTEM_VARIABLES_ADMIN", "CONNECTION_ADMIN",
}

// otherNames are the names under which MariaDB prints what was granted under another.
var otherNames = map[string]string{"REPLICATION CLIENT": "BINLOG MONITOR", "REPLICA MONITOR": "SLAVE MONITOR"}

func plainName(privilege string) string {
	if name, ok := otherNames[privilege]; ok {
		return name
	}
	return privilege
}

// privileges are what SHOW GRANTS says an account holds: by object, "" for *.*.
type privileges map[string][]string

// add reads one line of SHOW GRANTS. Lines about roles and proxies say nothing about privileges.
func (p *privileges) add(line string) {
	what, rest, ok := strings.Cut(line, " ON ")
	what, isGrant := strings.CutPrefix(what, "GRANT ")
	if !ok || !isGrant {
		return
	}
	object, _, ok := strings.Cut(rest, " TO ")
	if !ok {
		return
	}
	object = strings.TrimPrefix(strings.ReplaceAll(object, "`", ""), "TABLE ")
	if object == "*.*" {
		object = ""
	} else if object = strings.TrimSuffix(object, ".*"); object == "" {
		return
	}
	if *p == nil {
		*p = make(privileges)
	}
	for one := range strings.SplitSeq(what, ",") {
		one = strings.ToUpper(strings.TrimSpace(one))
		(*p)[object] = append((*p)[object], one)
	}
}

// has reports whether a privilege is held on an object: everywhere (""), or on a schema, or on schema.table.
func (p privileges) has(privilege, object string) bool {
	for _, held := range p[object] {
		if plainName(held) == plainName(privilege) || held == "ALL PRIVILEGES" || held == "ALL" {
			return true
		}
		if object == "" && held == "SUPER" && slices.Contains(inSuper, privilege) {
			return true
		}
	}
	if object == "" {
		return false
	}
	schema, _, isTable := strings.Cut(object, ".")
	if isTable && p.has(privilege, schema) {
		return true
	}
	return p.has(privilege, "")
}

// missingGrants are the GRANT statements that would give the account what it lacks.
func (s *session) missingGrants() []string {
	var out []string
	for _, n := range needs(s.draft.Version) {
		object := n.schema
		if n.table != "" {
			object += "." + n.table
		}
		var lacks []string
		for _, privilege := range n.privileges {
			if !s.held.has(privilege, object) {
				lacks = append(lacks, privilege)
			}
		}
		if len(lacks) > 0 {
			out = append(out, "GRANT "+strings.Join(lacks, ", ")+" ON "+n.on+" TO "+s.account)
		}
	}
	return out
}

// grantFor is the GRANT statement without which a question is refused.
func (s *session) grantFor(question string) []string {
	account := s.account
	if account == "" {
		return nil
	}
	if privilege, ok := s.dialect.mandatoryGrant[question]; ok {
		return []string{"GRANT " + privilege + " ON *.* TO " + account}
	}
	return s.missingGrants()
}

package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// leastTimeout is what raft cannot keep on any machine.
const leastTimeout = 5 * time.Millisecond

// check reports everything that is wrong with the values, as far as it can be told without looking at files.
func (f *File) check(p *problems) {
	f.checkNode(p)
	f.MySQL.check(p)
	f.Discovery.check(p)
	f.Detection.check(p, f.Discovery.Interval)
	f.Recovery.check(p, "recovery")
	f.checkClusters(p)
	f.checkLedger(p)
}

func (f *File) checkNode(p *problems) {
	p.complain("listen", isAddress(f.Listen, true))
	p.checkURL("advertise_url", f.AdvertiseURL)
	if f.DataDir == "" {
		p.add("data_dir", "is empty; name a directory, because what operators asked for must survive a restart")
	}
	p.complain("node", isName(f.Node))
	p.oneOf("log.level", f.Log.Level, "debug", "info", "warn", "error")
	p.oneOf("log.format", f.Log.Format, "text", "json")
}

func (m *MySQL) check(p *problems) {
	if m.User == "" {
		p.add("mysql.user", "is empty; name the account with which Baton logs in")
	}
	for _, a := range []struct {
		prefix  string
		account Account
	}{{"mysql.", m.Account()}, {"mysql.replication_", m.Replication()}} {
		given := a.account.sources()
		if len(given) > 1 {
			p.add(a.prefix+given[1], "is given beside %s; keep one of them", a.prefix+given[0])
		}
		if a.account.User == "" && len(given) > 0 {
			p.add(a.prefix+"user", "is missing although %s is given; name the account it belongs to", a.prefix+given[0])
		}
	}
	p.positive("mysql.connect_timeout", m.ConnectTimeout)
	p.positive("mysql.timeout", m.Timeout)
	m.TLS.check(p)
}

// sources lists the keys by which a password is given.
func (a *Account) sources() []string {
	var given []string
	if a.password.Reveal() != "" {
		given = append(given, "password")
	}
	if a.file != "" {
		given = append(given, "password_file")
	}
	if a.env != "" {
		given = append(given, "password_env")
	}
	return given
}

func (t *TLS) check(p *problems) {
	p.oneOf("mysql.tls.mode", t.Mode, TLSDisabled, TLSPreferred, TLSVerify)
	for _, k := range []struct {
		name, value string
		modes       []string
	}{
		{"ca_file", t.CAFile, []string{TLSVerify}},
		{"server_name", t.ServerName, []string{TLSVerify}},
		{"cert_file", t.CertFile, []string{TLSPreferred, TLSVerify}},
		{"key_file", t.KeyFile, []string{TLSPreferred, TLSVerify}},
	} {
		if k.value != "" && !slices.Contains(k.modes, t.Mode) {
			p.add("mysql.tls."+k.name, "has no effect with mode: %s; set mode: verify, or remove it", t.Mode)
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		given, missing := "cert_file", "key_file"
		if t.CertFile == "" {
			given, missing = missing, given
		}
		p.add("mysql.tls."+given, "needs %s beside it", missing)
	}
}

func (d *Detection) check(p *problems, interval time.Duration) {
	for _, n := range []struct {
		key   string
		value int
	}{
		{"down_after", d.DownAfter},
		{"half_answers", d.HalfAnswers},
		{"isolated_at_least", d.IsolatedAtLeast},
		{"storm_primaries", d.StormPrimaries},
		{"storm_at_least", d.StormAtLeast},
	} {
		if n.value < 1 {
			p.add("detection."+n.key, "is %d and must be 1 or more", n.value)
		}
	}
	for _, t := range []struct {
		key   string
		value time.Duration
	}{
		{"stale_after", d.StaleAfter},
		{"fresh_for", d.FreshFor},
		{"lost_after", d.LostAfter},
		{"slack", d.Slack},
		{"settle", d.Settle},
		{"suspicion_for", d.SuspicionFor},
		{"lag_threshold", d.LagThreshold},
		{"together", d.Together},
	} {
		p.positive("detection."+t.key, t.value)
	}
	if !(d.StormShare > 0 && d.StormShare <= 1) { // NaN too
		p.add("detection.storm_share", "is %v and must be more than 0 and at most 1", d.StormShare)
	}
	if d.StaleAfter < 3*interval {
		p.add("detection.stale_after", "is %s, less than three times discovery.interval (%s), so that servers would be unknown between two probes; "+
			"raise it to at least %s", formatDuration(d.StaleAfter), formatDuration(interval), formatDuration(3*interval))
	}
	if d.FreshFor <= interval {
		p.add("detection.fresh_for", "is %s, not more than discovery.interval (%s), so that every replica would seem to hear nothing; raise it",
			formatDuration(d.FreshFor), formatDuration(interval))
	}
}

func (f *File) checkLedger(p *problems) {
	l := &f.Ledger
	for _, t := range []struct {
		key   string
		value time.Duration
	}{{"heartbeat", l.Heartbeat}, {"election", l.Election}, {"lease", l.Lease}} {
		if t.value < leastTimeout {
			p.add("ledger."+t.key, "is %s and must be at least %s", formatDuration(t.value), formatDuration(leastTimeout))
		}
	}
	if l.Lease > l.Heartbeat {
		p.add("ledger.lease", "is %s, longer than heartbeat (%s), so that two nodes could lead at once; lower it to at most %s",
			formatDuration(l.Lease), formatDuration(l.Heartbeat), formatDuration(l.Heartbeat))
	}
	if l.Election < l.Heartbeat {
		p.add("ledger.election", "is %s, shorter than heartbeat (%s); raise it to at least that", formatDuration(l.Election), formatDuration(l.Heartbeat))
	}
	if len(l.Peers) == 0 {
		if l.Listen != "" {
			p.add("ledger.listen", "is given without peers; list all nodes, this one among them, or remove it")
		}
		return
	}
	if l.Listen == "" {
		p.add("ledger.listen", "is missing; where there are peers, give the address to listen on for them, such as 0.0.0.0:8307")
	} else {
		p.complain("ledger.listen", isAddress(l.Listen, true))
	}
	f.checkPeers(p)
}

func (f *File) checkPeers(p *problems) {
	ids, addresses := make(map[string]bool), make(map[string]bool)
	for i, peer := range f.Ledger.Peers {
		at := fmt.Sprintf("ledger.peers[%d]", i)
		switch {
		case peer.ID == "":
			p.add(at+".id", "is missing; give the node a name, the same as its node")
		case ids[peer.ID]:
			p.add(at+".id", "%q is there twice; every node has a name of its own", peer.ID)
		default:
			p.complain(at+".id", isName(peer.ID))
		}
		switch {
		case peer.Address == "":
			p.add(at+".address", "is missing; give host:port, where the other nodes reach it")
		case addresses[peer.Address]:
			p.add(at+".address", "%q is there twice; every node has an address of its own", peer.Address)
		default:
			p.complain(at+".address", isAddress(peer.Address, false))
		}
		if peer.API == "" {
			p.add(at+".api", "is missing; give the URL of its API, such as http://%s:8306, so that clients find the leader", orHost(peer.Address))
		}
		p.checkURL(at+".api", peer.API)
		ids[peer.ID], addresses[peer.Address] = true, true
	}
	switch {
	case f.Node == "":
		p.add("node", "is missing; where there are peers, say which of them this node is")
	case !ids[f.Node]:
		p.add("node", "%q is not among ledger.peers; add it there, or correct the name", f.Node)
	}
}

func orHost(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil && host != "" {
		return host
	}
	return "host"
}

func (p *problems) complain(path string, err error) {
	if err != nil {
		p.add(path, "%s", err)
	}
}

func (p *problems) positive(path string, d time.Duration) {
	if d <= 0 {
		p.add(path, "is %s and must be more than 0", formatDuration(d))
	}
}

func (p *problems) oneOf(path, value string, words ...string) {
	if slices.Contains(words, value) {
		return
	}
	if near := nearest(value, words); near != "" {
		p.add(path, "%q is not one of %s; the nearest is %s", value, strings.Join(words, ", "), near)
		return
	}
	p.add(path, "%q is not one of %s", value, strings.Join(words, ", "))
}

// checkURL refuses what clients could not be sent to. An empty one is left to others.
func (p *problems) checkURL(path, text string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		p.add(path, "%q is not a URL that others can open; write it like http://baton-1.example.com:8306", withoutUser(text))
	case u.User != nil:
		p.add(path, "holds a user; remove it, because the URL is shown to everybody")
	case u.RawQuery != "" || u.Fragment != "":
		p.add(path, "%q holds a query or a fragment; remove it, because paths are appended", text)
	}
}

// withoutUser cuts what may be a password out of what was meant to be a URL.
func withoutUser(text string) string {
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		return "…" + text[at:]
	}
	return text
}

// isAddress checks a host:port. To listen on, the host may be empty and the port 0.
func isAddress(text string, listen bool) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil || strings.ContainsAny(host, "/@ ") {
		return fmt.Errorf("%q is not an address; write host:port, with the brackets of an IPv6 host, such as 127.0.0.1:8306", withoutUser(text))
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil:
		return fmt.Errorf("the port of %q is not a number from 1 to 65535", text)
	case !listen && n == 0:
		return fmt.Errorf("the port of %q is 0, which nobody can dial; write the one the node listens on", text)
	case !listen && host == "":
		return fmt.Errorf("%q has no host; write the one by which the others reach the node", text)
	}
	return nil
}

// isName refuses what cannot be a word among others.
func isName(text string) error {
	if len(text) > 255 {
		return fmt.Errorf("is %d bytes long; 255 are allowed", len(text))
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return fmt.Errorf("%q holds a blank or a character that cannot be printed; names are single words", text)
	}
	return nil
}

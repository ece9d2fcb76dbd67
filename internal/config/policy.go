package config

import (
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/batondb/baton/analysis"
	"github.com/batondb/baton/ledger"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// Patience returns how much evidence it takes.
func (f *File) Patience() topology.Patience {
	d := &f.Detection
	return topology.Patience{
		DownAfter: d.DownAfter, StaleAfter: d.StaleAfter, FreshFor: d.FreshFor, LostAfter: d.LostAfter, Slack: d.Slack, Settle: d.Settle,
	}
}

// AnalysisPolicy returns what the rules judge by. Clusters go by the names that the file gives them.
func (f *File) AnalysisPolicy() analysis.Policy {
	d := &f.Detection
	p := analysis.Policy{
		LagThreshold: d.LagThreshold, HalfAnswers: d.HalfAnswers, Together: d.Together, IsolatedAtLeast: d.IsolatedAtLeast,
		StormPrimaries: d.StormPrimaries, StormShare: d.StormShare, StormAtLeast: d.StormAtLeast,
		MultiWriter: d.MultiWriter, ExpectReplicas: d.ExpectReplicas, OpenPrimary: d.OpenPrimary, SetReadOnly: d.SetReadOnly,
		FenceSecondWriter: d.FenceSecondWriter,
	}
	for _, c := range f.Clusters {
		if c.LagThreshold == d.LagThreshold {
			continue
		}
		if p.ClusterLag == nil {
			p.ClusterLag = make(map[string]time.Duration)
		}
		p.ClusterLag[c.Name] = c.LagThreshold
	}
	return p
}

// Policy returns what may be done about a cluster.
func (f *File) Policy(cluster string, members []topology.InstanceID) remediation.Policy {
	r := &f.Recovery
	if c := f.cluster(cluster, members); c != nil {
		r = &c.Recovery
	}
	return remediation.Policy{
		Autonomy: r.Autonomy, Cooldown: r.Cooldown, MaxLag: r.MaxLag, WriteBlock: r.WriteBlock, DrainStall: r.DrainStall, RelaxAbove: r.RelaxAbove,
		SameRegion: r.SameRegion, SameDC: r.SameDataCenter, RejoinDeposed: r.RejoinDeposed, Allow: slices.Clone(r.Allow),
	}
}

// ClusterName returns the name that the file gives to the cluster of an instance, or "".
func (f *File) ClusterName(id topology.InstanceID) string {
	if c := f.cluster("", []topology.InstanceID{id}); c != nil {
		return c.Name
	}
	return ""
}

// cluster finds the entry for a cluster: the one of its name, or else the one that most of its members match, the first of equals. One stray
// member must not give a cluster the policy of another.
func (f *File) cluster(name string, members []topology.InstanceID) *Cluster {
	best, most := -1, 0
	for i, c := range f.Clusters {
		if name != "" && c.Name == name {
			return &f.Clusters[i]
		}
		matched := 0
		for _, id := range members {
			if anyMatch(c.Match, id) {
				matched++
			}
		}
		if matched > most {
			best, most = i, matched
		}
	}
	if best < 0 {
		return nil
	}
	return &f.Clusters[best]
}

// Ignored reports whether a server is to be left alone.
func (d *Discovery) Ignored(id topology.InstanceID) bool { return anyMatch(d.Ignore, id) }

// LedgerOptions returns where the ledger is kept and with whom it agrees.
func (f *File) LedgerOptions(logger *slog.Logger) ledger.Options {
	o := ledger.Options{
		Dir: filepath.Join(f.DataDir, "ledger"), NodeID: f.Node, Bind: f.Ledger.Listen, Logger: logger,
		Heartbeat: f.Ledger.Heartbeat, Election: f.Ledger.Election, Lease: f.Ledger.Lease,
	}
	for _, peer := range f.Ledger.Peers {
		o.Peers = append(o.Peers, ledger.Peer{ID: peer.ID, Address: peer.Address, API: peer.API})
	}
	return o
}

// URL returns where others reach the API of this node: what is advertised, or what is listened on,
// with the name of the machine where that is every address.
func (f *File) URL() string {
	if f.AdvertiseURL != "" {
		return strings.TrimRight(f.AdvertiseURL, "/")
	}
	host, port, _ := net.SplitHostPort(f.Listen)
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	return "http://" + net.JoinHostPort(host, port)
}

// SlogLevel returns the least severe level that is logged.
func (l *Log) SlogLevel() slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // it was checked, and the zero value is info
	return level
}

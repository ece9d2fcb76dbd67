package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/batondb/baton/remediation"
)

// Warnings returns what is allowed and yet worth a second thought, a sentence each.
func (f *File) Warnings() []string {
	var w []string
	warn := func(format string, args ...any) { w = append(w, fmt.Sprintf(format, args...)) }
	if !f.local() {
		warn("listen: whoever can reach %s can command Baton; let only people and machines that may do so reach it", f.Listen)
	}
	if f.MySQL.Password.Reveal() != "" {
		warn("mysql.password: the password stands in the file; prefer password_file or password_env")
	}
	if f.MySQL.ReplicationPassword.Reveal() != "" {
		warn("mysql.replication_password: the password stands in the file; prefer replication_password_file or replication_password_env")
	}
	if a := f.MySQL.Account(); len(a.sources()) == 0 {
		warn("mysql: no password is given for %s; servers are tried without one", a.User)
	}
	if f.MySQL.ReplicationUser == "" {
		warn("mysql.replication_user: is not given; an old primary can then only become a replica if it was one before")
	}
	if len(f.Discovery.Seeds) == 0 {
		warn("discovery.seeds: is empty; nothing is watched until a server is added with `baton discover`")
	}
	f.warnRecovery("recovery", &f.Recovery, warn)
	for i := range f.Clusters {
		f.warnRecovery(fmt.Sprintf("clusters[%d]", i), &f.Clusters[i].Recovery, warn)
	}
	if n := len(f.Ledger.Peers); n > 0 && n%2 == 0 {
		warn("ledger.peers: %d nodes survive the loss of no more than %d do; use an odd number", n, n-1)
	}
	return w
}

// warnRecovery names the gates whose failure means lost transactions, where they need not pass and nobody is asked. What an entry of clusters
// has from recovery is said once.
func (f *File) warnRecovery(path string, r *Recovery, warn func(string, ...any)) {
	if path != "recovery" && slices.Equal(r.Allow, f.Recovery.Allow) && r.Autonomy == f.Recovery.Autonomy {
		return
	}
	lossy := []remediation.GateName{remediation.GateHoldsAll, remediation.GatePrimaryPos, remediation.GateSemiSync}
	for _, name := range r.Allow {
		if r.Autonomy == remediation.Auto && slices.Contains(lossy, name) {
			warn("%s.allow: with %s, a failover that nobody is asked about may lose transactions", path, name)
		}
	}
}

// local reports whether only this machine can reach the API.
func (f *File) local() bool {
	host, _, err := net.SplitHostPort(f.Listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

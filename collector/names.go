package collector

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/batondb/baton/topology"
)

// ResolveMode says what becomes of the host in a name that a server or an operator gave.
type ResolveMode string

// The modes. ResolveNone keeps hosts as they are, which is right where all servers name each other alike.
const (
	ResolveNone  ResolveMode = "none"
	ResolveCNAME ResolveMode = "cname"
	ResolveIP    ResolveMode = "ip"
)

// HostResolver looks names up; *net.Resolver is one.
type HostResolver interface {
	LookupCNAME(ctx context.Context, host string) (string, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// NamesOptions configure Names.
type NamesOptions struct {
	Mode ResolveMode

	// Map gives canonical names, before anything is looked up: host to host, or host:port to host:port.
	Map map[string]string

	// KeepFor is how long a looked up name is used before it is looked up again. The default is an hour.
	KeepFor time.Duration

	Resolver HostResolver // nil means net.DefaultResolver
}

// Names gives each server one name, so that it is one instance whatever others call it.
type Names struct {
	opts NamesOptions
	ids  map[topology.InstanceID]topology.InstanceID

	mu    sync.RWMutex
	hosts map[string]lookup
}

type lookup struct {
	host  string
	until time.Time
}

// A lookup that takes longer, or fails, leaves the name as it is.
const (
	lookupTimeout = 200 * time.Millisecond
	retryLookup   = time.Minute
)

// NewNames checks the options.
func NewNames(opts NamesOptions) (*Names, error) {
	switch opts.Mode {
	case "":
		opts.Mode = ResolveNone
	case ResolveNone, ResolveCNAME, ResolveIP:
	default:
		return nil, fmt.Errorf("names: mode %q is not one of none, cname, ip", opts.Mode)
	}
	if opts.KeepFor <= 0 {
		opts.KeepFor = time.Hour
	}
	if opts.Resolver == nil {
		opts.Resolver = net.DefaultResolver
	}
	n := &Names{opts: opts, ids: make(map[topology.InstanceID]topology.InstanceID), hosts: make(map[string]lookup)}
	for from, to := range opts.Map {
		if err := n.add(from, to); err != nil {
			return nil, fmt.Errorf("names: %w", err)
		}
	}
	return n, nil
}

func (n *Names) add(from, to string) error {
	a, err := topology.ParseInstanceID(from, noPort)
	if err != nil {
		return err
	}
	b, err := topology.ParseInstanceID(to, noPort)
	if err != nil {
		return err
	}
	if (a.Port() == noPort) != (b.Port() == noPort) {
		return errors.New(from + " and " + to + " must both have a port, or neither")
	}
	n.ids[a] = b
	return nil
}

// noPort stands for a name without a port; no server listens on it.
const noPort = 65535

// Canonical returns the one name of an instance.
func (n *Names) Canonical(id topology.InstanceID) topology.InstanceID {
	if n == nil || id == "" {
		return id
	}
	if len(n.ids) > 0 {
		if to, ok := n.ids[id]; ok {
			return to
		}
		if to, ok := n.ids[topology.NewInstanceID(id.Host(), noPort)]; ok {
			return topology.NewInstanceID(to.Host(), id.Port())
		}
	}
	if n.opts.Mode == ResolveNone {
		return id
	}
	return topology.NewInstanceID(n.host(id.Host()), id.Port())
}

func (n *Names) host(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	now := time.Now()
	n.mu.RLock()
	l, ok := n.hosts[host]
	n.mu.RUnlock()
	if ok && now.Before(l.until) {
		return l.host
	}
	found, err := n.lookup(host)
	keep := n.opts.KeepFor
	if err != nil {
		// The name that was right before is still the best there is.
		if found = host; ok {
			found = l.host
		}
		keep = retryLookup
	}
	n.mu.Lock()
	n.hosts[host] = lookup{found, now.Add(keep)}
	n.mu.Unlock()
	return found
}

func (n *Names) lookup(host string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	if n.opts.Mode == ResolveCNAME {
		name, err := n.opts.Resolver.LookupCNAME(ctx, host)
		if err == nil && name == "" {
			err = errors.New("no name")
		}
		return strings.ToLower(strings.TrimSuffix(name, ".")), err
	}
	addrs, err := n.opts.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(addrs) == 0 {
		return "", errors.Join(err, errors.New("no address"))
	}
	best := addrs[0].Unmap()
	for _, a := range addrs[1:] {
		// IPv4 first, then the lowest: the order of answers changes from one lookup to the next.
		if a = a.Unmap(); a.Is4() && !best.Is4() || a.Is4() == best.Is4() && a.Less(best) {
			best = a
		}
	}
	return best.String(), nil
}

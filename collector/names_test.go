package collector

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/batondb/baton/topology"
)

// zone is a name service in memory.
type zone struct {
	addresses map[string][]string
	cname     map[string]string
	lookups   int
	down      bool
}

func (z *zone) LookupCNAME(_ context.Context, host string) (string, error) {
	z.lookups++
	if name, ok := z.cname[host]; ok && !z.down {
		return name, nil
	}
	return "", errors.New("no such host")
}

func (z *zone) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	z.lookups++
	if z.down {
		return nil, errors.New("the name service does not answer")
	}
	var all []netip.Addr
	for _, a := range z.addresses[host] {
		all = append(all, netip.MustParseAddr(a))
	}
	return all, nil
}

func TestNames(t *testing.T) {
	z := &zone{
		addresses: map[string][]string{"db1": {"2001:db8::1", "10.0.0.2", "10.0.0.1"}, "db6": {"2001:db8::6"}, "mapped": {"::ffff:10.0.0.9"}},
		cname:     map[string]string{"db1": "DB1.example.net."},
	}
	table := map[string]string{"vip": "db1", "proxy:6033": "db1:3306"}
	tests := []struct {
		mode     ResolveMode
		from, to topology.InstanceID
	}{
		{"", "db1:3306", "db1:3306"},
		{ResolveNone, "vip:3307", "db1:3307"},
		{ResolveNone, "proxy:6033", "db1:3306"},
		{ResolveNone, "proxy:6034", "proxy:6034"},
		{ResolveNone, "", ""},
		{ResolveCNAME, "db1:3306", "db1.example.net:3306"},
		{ResolveCNAME, "nobody:3306", "nobody:3306"},
		{ResolveIP, "db1:3306", "10.0.0.1:3306"},
		{ResolveIP, "db6:3306", "[2001:db8::6]:3306"},
		{ResolveIP, "mapped:3306", "10.0.0.9:3306"},
		{ResolveIP, "10.0.0.7:3306", "10.0.0.7:3306"},
		{ResolveIP, "[2001:db8::7]:3306", "[2001:db8::7]:3306"},
		{ResolveIP, "nobody:3306", "nobody:3306"},
		{ResolveIP, "proxy:6033", "db1:3306"},
	}
	for _, tt := range tests {
		n, err := NewNames(NamesOptions{Mode: tt.mode, Map: table, Resolver: z})
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Canonical(tt.from); got != tt.to {
			t.Errorf("%s: %s is %s, want %s", tt.mode, tt.from, got, tt.to)
		}
	}
	if _, err := NewNames(NamesOptions{Map: map[string]string{"a:1": "b"}}); err == nil {
		t.Error("a name with a port stands for one without")
	}
	if got := (*Names)(nil).Canonical("db1:3306"); got != "db1:3306" {
		t.Errorf("without rules: %s", got)
	}
}

func TestNamesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{addresses: map[string][]string{"db1": {"10.0.0.1"}}}
		n, err := NewNames(NamesOptions{Mode: ResolveIP, Resolver: z})
		if err != nil {
			t.Fatal(err)
		}
		want := func(to topology.InstanceID, lookups int) {
			t.Helper()
			for range 3 {
				if got := n.Canonical("db1:3306"); got != to {
					t.Errorf("%s, want %s", got, to)
				}
			}
			if z.lookups != lookups {
				t.Errorf("%d lookups, want %d", z.lookups, lookups)
			}
		}
		want("10.0.0.1:3306", 1)
		time.Sleep(61 * time.Minute)
		z.down = true // and what was right before stays
		want("10.0.0.1:3306", 2)
		time.Sleep(61 * time.Second)
		z.down, z.addresses["db1"] = false, []string{"10.0.0.5"}
		want("10.0.0.5:3306", 3)
	})
}

package topology

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func mustParse(t testing.TB, text string) Input {
	t.Helper()
	in, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// shape writes what Build made of an input: clusters, and of each member its place and role.
func shape(s *Snapshot) string {
	var b strings.Builder
	for _, c := range s.Clusters {
		fmt.Fprintf(&b, "%s (%s)\n", c.Name, c.Primary)
		for _, m := range c.Members {
			fmt.Fprintf(&b, "%s%s %s\n", strings.Repeat("  ", m.Depth+1), m.Instance, m.Role)
		}
	}
	return b.String()
}

func TestBuildShapes(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"one cluster", "cluster shop\ndb1\n  db3\n  db2\n    db4\n", `shop (db1:3306)
  db1:3306 primary
    db2:3306 intermediate
      db4:3306 replica
    db3:3306 replica
`},
		{"numbers sort as numbers", "cluster shop\ndb:3306\n  db:10000\n  db:9999\n", `shop (db:3306)
  db:3306 primary
    db:9999 replica
    db:10000 replica
`},
		{"clusters by name", "cluster z\na\n  b\ncluster c\nd\n", `c (d:3306)
  d:3306 primary
z (a:3306)
  a:3306 primary
    b:3306 replica
`},
		{"without a name it has its root's", "db1\n  db2\n", `db1:3306 (db1:3306)
  db1:3306 primary
    db2:3306 replica
`},
		{"the larger of two has the alias", "db1 cluster_alias=shop\ndb2 cluster_alias=shop\n  db3\n", `db1:3306 (db1:3306)
  db1:3306 primary
shop (db2:3306)
  db2:3306 primary
    db3:3306 replica
`},
		{"an alias does not make a member", "cluster shop named\ndb1\ncluster db9:3306\ndb9 cluster_alias=shop\n", `db9:3306 (db9:3306)
  db9:3306 primary
shop (db1:3306)
  db1:3306 primary
`},
		{"a name that the ledger has given to others", "cluster db9:3306 named members=db1\ndb1\ndb9\n", `db9:3306 (db1:3306)
  db1:3306 primary
db9:3306~2 (db9:3306)
  db9:3306 primary
`},
		{"the ledger holds together what replication does not", "cluster shop named primary=db1\ndb1\n  db2\ndb3 read_only\n", `shop (db1:3306)
  db1:3306 primary
    db2:3306 replica
  db3:3306 detached
`},
		{"co-primaries", "cluster pair\na source=b writable\n  b\n  c\n", `pair (a:3306)
  a:3306 co_primary
    b:3306 co_primary
    c:3306 replica
`},
		{"of co-primaries the one agreed on leads", "cluster pair named primary=b\na source=b writable\n  b\n  c\n", `pair (b:3306)
  b:3306 co_primary
    a:3306 co_primary
      c:3306 replica
`},
		{"a circle of three with a branch", "cluster ring\na source=c\n  b\n    c\n    d\n", `ring (b:3306)
  b:3306 co_primary
    c:3306 co_primary
      a:3306 co_primary
    d:3306 replica
`},
		{"it follows itself", "db1 source=db1\n", `db1:3306 (db1:3306)
  db1:3306 primary
`},
		{"a source that was never seen", "cluster shop\ndb1 unknown\n  db2\n  db3\n", `shop (db1:3306)
  db1:3306 primary
    db2:3306 replica
    db3:3306 replica
`},
		{"a deposed primary returns with a tree", "cluster shop named primary=db2 epoch=2\ndb1 deposed\n  db4\n  db5\n  db6\ndb2\n  db3\n", `shop (db2:3306)
  db2:3306 primary
    db3:3306 replica
  db1:3306 primary
    db4:3306 replica
    db5:3306 replica
    db6:3306 replica
`},
		{"a deposed primary is the only one", "cluster shop named primary=db1\ndb1 deposed\n", `shop (db1:3306)
  db1:3306 primary
`},
		{"somebody else moved the role", "cluster shop named primary=db1\ndb2 writable\n  db1 read_only\n  db3\n", `shop (db2:3306)
  db2:3306 primary
    db1:3306 replica
    db3:3306 replica
`},
		{"somebody else moved the role away from the dead", "cluster shop named primary=db1\ndb1 down\ndb2 writable\n  db3\n", `shop (db2:3306)
  db2:3306 primary
    db3:3306 replica
  db1:3306 detached
`},
		{"the agreed primary is dead and keeps the role", "cluster shop named primary=db1\ndb1 down\n  db2\ndb3 writable\n", `shop (db1:3306)
  db1:3306 primary
    db2:3306 replica
  db3:3306 detached
`},
		{"a channel with a name is the one there is", "cluster shop\ndb1\ndb2 channel=main source=db1\n", `shop (db1:3306)
  db1:3306 primary
    db2:3306 replica
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := shape(Build(mustParse(t, c.text))); got != c.want {
				t.Errorf("%s\ngot\n%s\nwant\n%s", c.text, got, c.want)
			}
		})
	}
}

func TestNameSurvivesChangeOfPrimary(t *testing.T) {
	before := Build(mustParse(t, "cluster shop named primary=db1\ndb1\n  db2\n  db3\n"))
	after := Build(mustParse(t, "cluster shop named primary=db1\ndb2 writable\n  db3\n  db1\n"))
	if before.ClusterOf("db3:3306").Name != "shop" || after.ClusterOf("db3:3306").Name != "shop" || after.Cluster("shop").Primary != "db2:3306" {
		t.Errorf("before\n%safter\n%s", shape(before), shape(after))
	}
}

func TestStubIsNoObservation(t *testing.T) {
	in := mustParse(t, "cluster shop\ndb1 unknown\n  db2\n")
	in.Observations = slices.DeleteFunc(in.Observations, func(o Observation) bool { return o.Instance == "db1:3306" })
	s := Build(in)
	i := s.Instance("db1:3306")
	if i == nil || i.Known() || i.Up() || i.Down || i.Role != RolePrimary {
		t.Fatalf("the source that was only named is %+v", i)
	}
	if n := len(s.Input().Observations); n != 1 {
		t.Errorf("the input has %d observations", n)
	}
}

func TestNeverTriedIsKept(t *testing.T) {
	in := mustParse(t, "db1 unknown\ndb2\n")
	s := Build(in)
	if got := s.Input(); len(got.Observations) != 2 {
		t.Errorf("the instance that was never tried is gone: %v", got.Observations)
	}
}

func TestTalliesOfCluster(t *testing.T) {
	s := Build(mustParse(t, "cluster shop\ndb1 saturated dc=eu-1 region=eu\n  db2 dc=us-1\n  db3 timeout\n  db4 down downtime\n  db5 downtime\n  db6 attempted=1h\n"))
	if c := s.Cluster("shop"); c.Answering != 2 || c.Failing != 1 || c.DataCenter != "eu-1" || c.Region != "eu" {
		t.Errorf("%+v", c)
	}
	if s.Hosts() != 6 || s.Len() != 6 {
		t.Errorf("%d hosts, %d instances", s.Hosts(), s.Len())
	}
	if s := Build(mustParse(t, "a:1\na:2\nb:1\n[::1]:1\n[::1]:2\n")); s.Hosts() != 3 {
		t.Errorf("%d hosts", s.Hosts())
	}
}

func TestFollowers(t *testing.T) {
	s := Build(mustParse(t, "cluster shop\ndb1\n  db2\n    db4\n  db3\n"))
	db1, db2 := s.Instance("db1:3306"), s.Instance("db2:3306")
	if db1.Following() != nil || db2.Following() != db1 || !slices.Equal(db1.Followers(), []*Instance{db2, s.Instance("db3:3306")}) || len(s.Instance("db4:3306").Followers()) != 0 {
		t.Errorf("%v", db1.Followers())
	}
	if s.Cluster("shop").Leader() != db1 {
		t.Error("the leader is somebody else")
	}
}

func TestAgreedPrimary(t *testing.T) {
	for text, want := range map[string]bool{
		"cluster shop\ndb1\n  db2\n":                                      false,
		"cluster shop named\ndb1\n  db2\n":                                false,
		"cluster shop named primary=db1\ndb1\n  db2\n":                    true,
		"cluster shop named primary=db1\ndb2 writable\n  db1 read_only\n": false,
	} {
		if got := Build(mustParse(t, text)).Cluster("shop").Agreed; got != want {
			t.Errorf("%s\nagreed: %t", text, got)
		}
	}
}

func TestBuildDoesNotDependOnOrder(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 0))
		in, err := Parse(randomText(r))
		if err != nil {
			continue
		}
		want := Build(in)
		for range 3 {
			r.Shuffle(len(in.Observations), func(i, j int) { in.Observations[i], in.Observations[j] = in.Observations[j], in.Observations[i] })
			if got := Build(in); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: built\n%s\ninstead of\n%s", seed, Format(got), Format(want))
			}
		}
	}
}

func TestOfTwoObservationsTheNewerCounts(t *testing.T) {
	old := Observation{Instance: "db1:3306", Reach: ReachRefused, Attempted: NotationTime.Add(-time.Second)}
	young := Observation{Instance: "db1:3306", Reach: ReachUp, Attempted: NotationTime}
	for _, in := range [][]Observation{{old, young}, {young, old}} {
		if s := Build(Input{At: NotationTime, Observations: in}); !s.Instance("db1:3306").Up() {
			t.Errorf("%v: the older one counts", in)
		}
	}
}

// changed replaces some observations of an input by others; mostly they say new things of the same shape.
func changed(r *rand.Rand, in Input) []Observation {
	var out []Observation
	for _, o := range in.Observations {
		if r.IntN(4) > 0 {
			continue
		}
		switch r.IntN(8) {
		case 0:
			o.Reach, o.Failures, o.FailingSince = ReachTimeout, 2, in.At.Add(-time.Second)
		case 1:
			o.Reach, o.Attempted = ReachUp, in.At
		case 2:
			o.Facts.ReadOnly = !o.Facts.ReadOnly
		case 3:
			o.Facts.DataCenter = "elsewhere"
		case 4:
			if r.IntN(3) == 0 {
				o.Facts.Channels = nil
			}
		case 5:
			if r.IntN(3) == 0 {
				o.Facts.ClusterAlias = "c1"
			}
		case 6:
			if r.IntN(3) == 0 && len(o.Facts.Channels) > 0 {
				o.Facts.Channels = slices.Clone(o.Facts.Channels)
				o.Facts.Channels[0].Source = in.Observations[r.IntN(len(in.Observations))].Instance
			}
		}
		out = append(out, o)
	}
	if r.IntN(8) == 0 {
		out = append(out, Observation{Instance: "new:3306", Reach: ReachUp, Attempted: in.At, Facts: Facts{At: in.At}})
	}
	return out
}

// TestWithIsBuild demands that a snapshot that was carried forward is the one that would have been built.
func TestWithIsBuild(t *testing.T) {
	shared := 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 9))
		in, err := Parse(randomText(r))
		if err != nil || len(in.Observations) == 0 {
			continue
		}
		s := Build(in)
		for step := range 4 {
			next := in
			next.Observations = changed(r, in)
			if r.IntN(3) == 0 {
				i := in.Observations[r.IntN(len(in.Observations))].Instance
				next.Votes = append(slices.Clone(in.Votes), Vote{Node: "n2", Instance: i, Reach: Reach(r.IntN(7)), Failures: r.IntN(4), At: in.At.Add(time.Duration(step) * time.Millisecond)})
			}
			all := next
			all.Observations = slices.Clone(in.Observations)
			for _, o := range next.Observations {
				if at := slices.IndexFunc(all.Observations, func(a Observation) bool { return a.Instance == o.Instance }); at >= 0 {
					all.Observations[at] = o
				} else {
					all.Observations = append(all.Observations, o)
				}
			}
			got, want := s.With(next, true), Build(all)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: carried forward\n%s\n%s\nbuilt\n%s\n%s", seed, shape(got), Format(got), shape(want), Format(want))
			}
			for _, c := range got.Clusters {
				if old := s.Cluster(c.Name); old == c {
					shared++
				}
			}
			s, in = got, all
		}
	}
	if shared < 100 {
		t.Errorf("only %d clusters were shared: With builds everything again", shared)
	}
}

func TestWithJudgesTheTouchedClusterAgainAsTimePasses(t *testing.T) {
	in := mustParse(t, "cluster shop\ndb1\n  db2\ncluster blog\ndb3\n")
	s := Build(in)
	later := Input{At: in.At.Add(time.Minute), Observations: []Observation{{Instance: "db2:3306", Reach: ReachUp, Attempted: in.At.Add(time.Minute), Facts: s.Instance("db2:3306").Facts}}}
	next := s.With(later, true)
	if next.Instance("db1:3306").Agreed != ReachUnknown || !next.Instance("db2:3306").Up() {
		t.Errorf("db1 is %s, db2 is %s", next.Instance("db1:3306").Agreed, next.Instance("db2:3306").Agreed)
	}
	if next.Cluster("blog") != s.Cluster("blog") {
		t.Error("a cluster that nothing touched was built again")
	}
	if s.Instance("db1:3306").Agreed != ReachUp {
		t.Error("the old snapshot has changed")
	}
}

func TestWithDoesNotTrustOtherIntents(t *testing.T) {
	in := mustParse(t, "cluster shop\ndb1\n  db2\ncluster blog\ndb3\n")
	s := Build(in)
	in.Intents.Downtimes = map[InstanceID]Hold{"db3:3306": {}}
	in.Observations = in.Observations[:1]
	if !s.With(in, false).Instance("db3:3306").Downtimed {
		t.Error("the downtime is not seen")
	}
	in = s.Input()
	in.Observations, in.Nodes = in.Observations[:1], 3
	if got := s.With(in, true); got.Instance("db3:3306") == nil || got.Nodes != 3 {
		t.Error("another number of nodes is not seen")
	}
}

func BenchmarkWith10000(b *testing.B) {
	var text strings.Builder
	for c := range 2500 {
		fmt.Fprintf(&text, "cluster c%04d named\ndb%d-1\n  db%d-2\n  db%d-3\n  db%d-4\n", c, c, c, c, c)
	}
	in := mustParse(b, text.String())
	s := Build(in)
	in.Observations = in.Observations[:1]
	b.ReportAllocs()
	for b.Loop() {
		s.With(in, true)
	}
}

func BenchmarkBuild10000(b *testing.B) {
	var text strings.Builder
	for c := range 2500 {
		fmt.Fprintf(&text, "cluster c%04d named\ndb%d-1\n  db%d-2\n  db%d-3\n  db%d-4\n", c, c, c, c, c)
	}
	in := mustParse(b, text.String())
	b.ReportAllocs()
	for b.Loop() {
		Build(in)
	}
}

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// A Spec describes servers that replicate from each other.
type Spec struct {
	Flavor Flavor

	// Replicas is the number of replicas of server 0. Sources describes any
	// tree instead: the index of the source of each server, -1 for the primary.
	Replicas int
	Sources  []int

	// CoPrimaries makes server 0 replicate from server 1, which must
	// replicate from server 0. Server 1 starts read-only.
	CoPrimaries bool

	// SemiSync is the number of acknowledgements that the primary waits for,
	// without ever falling back; 0 is asynchronous. MariaDB knows only 1.
	SemiSync int

	// FilePosition replicates by binary log file and position, with GTIDs off.
	FilePosition bool

	// ConnectRetry is how often, in seconds, a receiver that lost its source
	// tries again; 0 is the server's default of 60.
	ConnectRetry int

	// Proxied puts a Proxy in front of every server, under whose address
	// replicas, clients and Baton know it.
	Proxied bool

	// Config is added to the configuration of every server, a line each, and
	// ServerConfig to that of one.
	Config       []string
	ServerConfig map[int][]string

	// Ports are the servers' ports, for a demo whose addresses are known;
	// empty means free ones.
	Ports []int
}

// A Topology is the servers of one Spec.
type Topology struct {
	Servers []*Server

	spec Spec
}

// Spec returns what the topology was started from, with Sources filled in.
func (t *Topology) Spec() Spec { return t.spec }

// Primary returns the server that started as the primary.
func (t *Topology) Primary() *Server { return t.Servers[slices.Index(t.spec.Sources, -1)] }

// Replicas returns the servers that started as replicas.
func (t *Topology) Replicas() []*Server {
	var out []*Server
	for i, s := range t.Servers {
		if t.spec.Sources[i] >= 0 {
			out = append(out, s)
		}
	}
	return out
}

// Addrs returns the address of every server.
func (t *Topology) Addrs() []string {
	var out []string
	for _, s := range t.Servers {
		out = append(out, s.Addr())
	}
	return out
}

// Close kills the servers and removes their data. Closing the Lab does it too.
func (t *Topology) Close() error {
	var errs []error
	for _, s := range t.Servers {
		_ = s.Kill()
	}
	for _, s := range t.Servers {
		errs = append(errs, s.destroy(), os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

func (spec Spec) complete() (Spec, error) {
	if spec.Flavor != MySQL && spec.Flavor != MariaDB {
		return spec, fmt.Errorf("unknown flavour %q", spec.Flavor)
	}
	if spec.Replicas < 0 {
		return spec, fmt.Errorf("%d replicas", spec.Replicas)
	}
	if spec.Sources == nil {
		spec.Sources = make([]int, spec.Replicas+1)
		spec.Sources[0] = -1
	}
	n := len(spec.Sources)
	primaries := 0
	for i, source := range spec.Sources {
		if source < -1 || source >= n || source == i {
			return spec, fmt.Errorf("server %d of %d can not replicate from %d", i, n, source)
		}
		if source == -1 {
			primaries++
		}
	}
	for i := range spec.Sources {
		steps := 0
		for up := i; up != -1; up = spec.Sources[up] {
			if steps++; steps > n {
				return spec, fmt.Errorf("server %d replicates from itself in a circle", i)
			}
		}
	}
	if primaries != 1 {
		return spec, fmt.Errorf("%d servers have no source, and one is needed", primaries)
	}
	if spec.CoPrimaries && (n < 2 || spec.Sources[0] != -1 || spec.Sources[1] != 0) {
		return spec, errors.New("co-primaries are server 0 and server 1, its replica")
	}
	if spec.Flavor == MariaDB && spec.SemiSync > 1 {
		return spec, errors.New("MariaDB waits for one acknowledgement only")
	}
	if spec.Ports != nil && len(spec.Ports) != n {
		return spec, fmt.Errorf("%d ports for %d servers", len(spec.Ports), n)
	}
	return spec, nil
}

// startDeadline is for a machine that is very busy; an idle one needs seconds.
const startDeadline = 2 * time.Minute

// Start starts the servers and returns when every replica is connected and
// applies.
func (l *Lab) Start(ctx context.Context, spec Spec) (*Topology, error) {
	spec, err := spec.complete()
	if err == nil && l.isClosed() {
		err = ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	kind := mysqldKind()
	if spec.Flavor == MariaDB {
		kind = mariadbdKind()
	}
	program, err := l.find(ctx, kind)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	template, err := l.template(ctx, spec.Flavor, program)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	t, err := l.newTopology(spec, program)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	if err := l.onClose(t.Close); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	if err := t.start(ctx, template); err != nil {
		return nil, errors.Join(fmt.Errorf("lab: %w", err), t.Close())
	}
	return t, nil
}

func (l *Lab) newTopology(spec Spec, program *program) (*Topology, error) {
	t := &Topology{spec: spec}
	for i := range spec.Sources {
		s, err := l.newServer(spec, i, program)
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
		t.Servers = append(t.Servers, s)
	}
	return t, nil
}

func (t *Topology) start(ctx context.Context, template string) error {
	if err := each(t.Servers, func(_ int, s *Server) error {
		if err := copyTree(template, s.dataDir()); err != nil {
			return err
		}
		return s.Start(ctx)
	}); err != nil {
		return err
	}
	return each(t.Servers, func(i int, s *Server) error {
		source := t.spec.Sources[i]
		if t.spec.CoPrimaries && i == 0 {
			source = 1
		}
		if source < 0 {
			return nil
		}
		return t.attach(ctx, s, t.Servers[source])
	})
}

func (l *Lab) newServer(spec Spec, i int, program *program) (*Server, error) {
	s := &Server{
		lab:     l,
		flavor:  spec.Flavor,
		program: program,
		id:      l.newID(),
		retry:   spec.ConnectRetry,
		gtid:    !spec.FilePosition,
	}
	s.dir = filepath.Join(l.dir, fmt.Sprintf("%s-%d", spec.Flavor, s.id))
	public, err := l.portFor(spec, i)
	if err != nil {
		return nil, err
	}
	s.port = public
	if spec.Proxied {
		if s.port, err = l.ports.next(); err != nil {
			return nil, err
		}
		if s.proxy, err = newProxy(public, loopback(s.port)); err != nil {
			return nil, err
		}
	}
	s.open(AdminUser, Password)
	if err := s.configure(spec, i); err != nil {
		return nil, errors.Join(err, s.destroy())
	}
	return s, nil
}

func (l *Lab) portFor(spec Spec, i int) (int, error) {
	if spec.Ports == nil {
		return l.ports.next()
	}
	if port := spec.Ports[i]; !portFree(port) {
		return 0, fmt.Errorf("port %d is taken", port)
	}
	return spec.Ports[i], nil
}

func (s *Server) configure(spec Spec, i int) error {
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return err
	}
	config := configFile(
		place(spec.Flavor, s.program), layout(spec.Flavor), frugal(spec.Flavor),
		identity(spec.Flavor, s), duty(spec.Flavor, spec, spec.Sources[i] == -1),
		spec.Config, spec.ServerConfig[i])
	return os.WriteFile(s.configPath(), []byte(config), 0o644)
}

// attach makes a fresh server follow another fresh one, and waits until it does.
func (t *Topology) attach(ctx context.Context, s, source *Server) error {
	if t.spec.FilePosition {
		file, position, err := source.BinlogPosition(ctx)
		if err != nil {
			return err
		}
		if err := s.FollowFrom(ctx, source.Addr(), file, position); err != nil {
			return err
		}
	} else if err := s.Follow(ctx, source.Addr()); err != nil {
		return err
	}
	return s.WaitReplicating(ctx)
}

// WaitReplicating returns when the receiver is connected and the applier runs.
func (s *Server) WaitReplicating(ctx context.Context) error {
	var last Replication
	err := poll(ctx, func() (bool, error) {
		r, is, err := s.Replication(ctx)
		if err != nil {
			return false, err
		}
		if !is {
			return false, errors.New("it is not a replica")
		}
		last = r
		return r.Receiver == "Yes" && r.Applier == "Yes", nil
	})
	if err != nil {
		return fmt.Errorf("%s does not replicate: %w (receiver %s %s, applier %s %s)",
			s, err, last.Receiver, last.ReceiverError, last.Applier, last.ApplierError)
	}
	return nil
}

// each runs f for all servers at once.
func each(servers []*Server, f func(int, *Server) error) error {
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() { errs[i] = f(i, s) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

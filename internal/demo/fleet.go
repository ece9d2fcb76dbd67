package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/batondb/baton/api"
	"github.com/batondb/baton/internal/config"
	"github.com/batondb/baton/internal/lab"
	"github.com/batondb/baton/internal/service"
	"github.com/batondb/baton/remediation"
	"github.com/batondb/baton/topology"
)

// Options say what is run.
type Options struct {
	Flavor   lab.Flavor
	Backlog  int    // of the backlog drill; 0 is DefaultBacklog
	Async    bool   // replicate asynchronously instead of with one semi-sync acknowledgement
	Listen   string // of Baton's API; empty takes a free port
	Ports    []int  // of the servers; empty takes free ones
	Cache    string // where programs are kept; empty takes the lab's default
	Version  string
	Logger   *slog.Logger // of Baton; nil is silent
	Progress func(string) // a line whenever something slow begins
}

// clusterName is what the demo's cluster is called.
const clusterName = "shop"

// Fleet is real servers and a Baton in auto that watches them. Close ends all of it.
type Fleet struct {
	Lab     *lab.Lab
	Servers *lab.Topology
	Client  *api.Client
	URL     string

	opts  Options
	dir   string
	stop  context.CancelFunc
	ended chan error
}

// Start starts a primary with three replicas and Baton, and returns when Baton has seen all of them and would act.
func Start(ctx context.Context, opts Options) (_ *Fleet, err error) {
	if opts.Backlog == 0 {
		opts.Backlog = DefaultBacklog
	}
	f := &Fleet{opts: opts}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if f.Lab, err = lab.New(ctx, lab.Options{Cache: opts.Cache, Progress: opts.Progress}); err != nil {
		return nil, err
	}
	spec := lab.Spec{Flavor: opts.Flavor, Replicas: 3, SemiSync: 1, Ports: opts.Ports}
	if opts.Async {
		spec.SemiSync = 0
	}
	f.say("starting a %s primary with three replicas", opts.Flavor)
	if f.Servers, err = f.Lab.Start(ctx, spec); err != nil {
		return nil, err
	}
	if f.dir, err = os.MkdirTemp("", "baton-demo-"); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	if err := f.Serve(ctx); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Fleet) say(format string, args ...any) {
	if f.opts.Progress != nil {
		f.opts.Progress(fmt.Sprintf(format, args...))
	}
}

// configuration is that of the demo: what `baton serve` would read from a file.
func (f *Fleet) configuration() *config.File {
	c := config.Default()
	c.Node, c.DataDir = "demo", filepath.Join(f.dir, "data")
	c.MySQL.User, c.MySQL.Password = lab.BatonUser, config.NewSecret(lab.Password)
	c.MySQL.ReplicationUser, c.MySQL.ReplicationPassword = lab.ReplicationUser, config.NewSecret(lab.Password)
	c.MySQL.TLS.Mode = config.TLSDisabled // the traffic stays on this machine, and the servers' certificates prove nothing
	c.Discovery.Seeds = []topology.InstanceID{topology.InstanceID(f.Servers.Servers[len(f.Servers.Servers)-1].Addr())}
	c.Recovery.Autonomy = remediation.Auto
	c.Recovery.Cooldown = 10 * time.Second // so that a person can kill one primary after the other
	if f.opts.Async {
		c.Recovery.Allow = []remediation.GateName{remediation.GatePrimaryPos}
	}
	anything, _ := config.NewPattern(".*")
	c.Clusters = []config.Cluster{{Name: clusterName, Match: []config.Pattern{anything}, Recovery: c.Recovery}}
	return &c
}

// Serve starts Baton on one replica as its only seed, and waits until it has found and named the rest.
func (f *Fleet) Serve(ctx context.Context) error {
	listen := f.opts.Listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("demo: %w; choose another address with --listen", err)
	}
	s, err := service.New(service.Options{Config: f.configuration(), Version: f.opts.Version, Logger: f.opts.Logger, Listener: listener})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	f.stop, f.ended = stop, make(chan error, 1)
	go func() { f.ended <- s.Run(running) }()
	f.URL = "http://" + s.Addr()
	if f.Client, err = api.NewClient(f.URL, api.ClientOptions{UserAgent: "baton-demo"}); err != nil {
		return err
	}
	f.say("baton discovers the fleet from %s", f.Servers.Servers[len(f.Servers.Servers)-1].Addr())
	return f.until(ctx, readyPatience, "baton to find the fleet healthy", func(ctx context.Context) (bool, error) {
		view, err := f.Client.Cluster(ctx, clusterName)
		if err != nil {
			return false, nil //nolint:nilerr // not there yet
		}
		return view.Status == api.StatusHealthy && view.Up == len(f.Servers.Servers), nil
	})
}

// Halt ends Baton and leaves the servers alone.
func (f *Fleet) Halt() error {
	if f.stop == nil {
		return nil
	}
	f.stop()
	f.stop = nil
	return <-f.ended
}

// Close ends everything and removes what it wrote.
func (f *Fleet) Close() error {
	err := f.Halt()
	if f.Lab != nil {
		err = errors.Join(err, f.Lab.Close())
	}
	if f.dir != "" {
		err = errors.Join(err, os.RemoveAll(f.dir))
	}
	return err
}

// Bounds on what a drill waits for. They end a drill that went wrong; none of them is part of a measurement.
const (
	readyPatience   = 60 * time.Second
	recoverPatience = 4 * time.Minute
	followPatience  = 30 * time.Second
	look            = 20 * time.Millisecond
)

// until asks again and again until the answer is yes.
func (f *Fleet) until(ctx context.Context, patience time.Duration, what string, ask func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		yes, err := ask(ctx)
		if yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s for %s", patience, what)
		case <-tick.C:
		}
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/batondb/baton/internal/config"
	"github.com/batondb/baton/internal/service"
	"github.com/batondb/baton/topology"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name: "serve", Usage: "run the service",
		Description: example("Watches the servers of the configuration and repairs their replication as far as the policy allows. SIGHUP reads the\n"+
			"configuration again; SIGTERM and SIGINT end the service.", "baton serve --config /etc/baton/baton.yaml"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "configuration `FILE`; every key has a default, see docs/configuration.md", EnvVars: []string{"BATON_CONFIG"}},
			&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` of the API, instead of the key listen"},
			&cli.StringFlag{Name: "data-dir", Usage: "`DIR` of the ledger, instead of the key data_dir"},
			&cli.StringSliceFlag{Name: "seed", Usage: "`INSTANCE` to discover besides the key discovery.seeds; may be repeated"},
		},
		Action: serve,
	}
}

func serve(c *cli.Context) error {
	file, err := serveConfig(c)
	if err != nil {
		return usage("%s", err)
	}
	logger := newLogger(file.Log, c.App.ErrWriter)
	for _, w := range file.Warnings() {
		logger.Warn(w, "component", "config")
	}
	s, err := service.New(service.Options{Config: file, Path: c.String("config"), Version: programVersion(), Logger: logger})
	if err != nil {
		return err
	}
	go reloadOnHangup(c.Context, s, logger)
	return s.Run(c.Context) // the context ends with SIGINT and SIGTERM
}

// serveConfig is the file with what the command line says instead.
func serveConfig(c *cli.Context) (*config.File, error) {
	file := config.Default()
	if path := c.String("config"); path != "" {
		loaded, err := config.Load(path)
		if err != nil {
			return nil, err
		}
		file = *loaded
	}
	if v := c.String("listen"); v != "" {
		file.Listen = v
	}
	if v := c.String("data-dir"); v != "" {
		file.DataDir = v
	}
	for _, text := range c.StringSlice("seed") {
		id, err := topology.ParseInstanceID(text, topology.DefaultPort)
		if err != nil {
			return nil, fmt.Errorf("--seed: %w", err)
		}
		file.Discovery.Seeds = append(file.Discovery.Seeds, id)
	}
	return &file, file.Check()
}

func newLogger(l config.Log, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: l.SlogLevel()}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// reloadOnHangup reads the configuration again at every SIGHUP. A file that is wrong changes nothing and is logged.
func reloadOnHangup(ctx context.Context, s *service.Service, logger *slog.Logger) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			if err := s.Reload(); err != nil {
				logger.Error("reload failed; the configuration is as it was", "component", "config", "err", err)
			}
		}
	}
}

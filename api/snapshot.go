package api

import (
	"bytes"
	"net/http"

	"github.com/batondb/baton/topology"
)

// showSnapshot gives the snapshot as a file, so that it can be judged anywhere. It is written whole before it is sent: half a file is worse than an
// error.
func (s *Server) showSnapshot(w http.ResponseWriter, _ *http.Request) error {
	var file bytes.Buffer
	if err := topology.Write(&file, s.Fleet.Snapshot().Input()); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(file.Bytes())
	return err
}

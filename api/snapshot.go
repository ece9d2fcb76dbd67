package api

import (
	"encoding/json"
	"net/http"
)

// showSnapshot gives the snapshot as a file, so that it can be judged anywhere.
func (s *Server) showSnapshot(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(s.Fleet.Snapshot().Input())
}

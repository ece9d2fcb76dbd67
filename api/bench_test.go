package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/batondb/baton/api"
	"github.com/batondb/baton/api/apitest"
)

// BenchmarkFleet asks about 10,000 instances in 2,500 clusters.
func BenchmarkFleet(b *testing.B) {
	var scenario strings.Builder
	for n := range 2500 {
		fmt.Fprintf(&scenario, "cluster c%d\na%d executed=u1:1-3000\n  b%d executed=u1:1-3000\n  d%d executed=u1:1-3000\n  e%d executed=u1:1-3000\n", n, n, n, n, n)
	}
	service, err := apitest.New(scenario.String())
	if err != nil {
		b.Fatal(err)
	}
	server, err := api.New(service.Options())
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range []string{"/clusters", "/instances", "/clusters/c7", "/clusters/c7/why-not"} {
		b.Run(strings.Trim(strings.ReplaceAll(path, "/", "_"), "_"), func(b *testing.B) {
			for b.Loop() {
				w := httptest.NewRecorder()
				server.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/api/v1"+path, nil))
				if w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body.String())
				}
			}
		})
	}
}

// SPDX-License-Identifier: MIT
//
// Registries that have the referrers API: crane's, which `crane registry serve` starts without
// it, and CUE's.
// usage: servers crane|cue HOST:PORT    logs the requests to stderr, one a line
package main

import (
	"log"
	"net/http"
	"os"

	"cuelabs.dev/go/oci/ociregistry/ocimem"
	"cuelabs.dev/go/oci/ociregistry/ociserver"
	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: servers crane|cue HOST:PORT")
	}
	handlers := map[string]http.Handler{
		"crane": registry.New(registry.WithReferrersSupport(true),
			registry.Logger(log.New(os.Stdout, "", 0))),
		"cue": ociserver.New(ocimem.New(), nil),
	}
	handler := handlers[os.Args[1]]
	if handler == nil {
		log.Fatal("no such registry: ", os.Args[1])
	}
	log.SetFlags(0)
	log.Fatal(http.ListenAndServe(os.Args[2], http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			log.Print(r.Method, " ", r.URL)
			handler.ServeHTTP(w, r)
		})))
}

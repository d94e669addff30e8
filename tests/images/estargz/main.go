// SPDX-License-Identifier: MIT

// estargz TAR BLOB [PRIORITIZED...]: makes an eStargz layer of a tar with the library of
// stargz-snapshotter, and prints the digest of its table of contents.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/containerd/stargz-snapshotter/estargz"
)

func run(from, to string, first []string) (digest string, err error) {
	in, err := os.Open(from)
	if err != nil {
		return
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return
	}
	var missing []string
	blob, err := estargz.Build(io.NewSectionReader(in, 0, st.Size()),
		estargz.WithPrioritizedFiles(first), estargz.WithAllowPrioritizeNotFound(&missing))
	if err != nil {
		return
	}
	defer blob.Close()
	out, err := os.Create(to)
	if err != nil {
		return
	}
	if _, err = io.Copy(out, blob); err != nil {
		out.Close()
		return
	}
	return blob.TOCDigest().String(), out.Close()
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: estargz TAR BLOB [PRIORITIZED...]")
		os.Exit(1)
	}
	digest, err := run(os.Args[1], os.Args[2], os.Args[3:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "estargz:", err)
		os.Exit(1)
	}
	fmt.Println(digest)
}

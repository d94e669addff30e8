// SPDX-License-Identifier: MIT

// What podman and skopeo do with policies and signatures, by the library that both use.
//
//	containers check POLICY REGISTRIES.D SOURCE...      a line each: "accepted", or why not
//	containers sign KEY REGISTRIES.D IDENTITY FROM TO   copies an image and signs it
//
// Registries are asked over plain HTTP. The key is cosign's, without a passphrase.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/containers/image/v5/copy"
	_ "github.com/containers/image/v5/directory"
	_ "github.com/containers/image/v5/docker"
	_ "github.com/containers/image/v5/docker/archive"
	"github.com/containers/image/v5/docker/reference"
	"github.com/containers/image/v5/image"
	"github.com/containers/image/v5/manifest"
	_ "github.com/containers/image/v5/oci/archive"
	_ "github.com/containers/image/v5/oci/layout"
	"github.com/containers/image/v5/signature"
	"github.com/containers/image/v5/transports"
	"github.com/containers/image/v5/types"
)

func parse(name string) (types.ImageReference, error) {
	transport, rest, _ := strings.Cut(name, ":")
	t := transports.Get(transport)
	if t == nil {
		return nil, fmt.Errorf("%s: unknown transport", name)
	}
	return t.ParseReference(rest)
}

func system(registries string) *types.SystemContext {
	return &types.SystemContext{
		RegistriesDirPath:           registries,
		DockerInsecureSkipTLSVerify: types.OptionalBoolTrue,
		OSChoice:                    "linux",
		ArchitectureChoice:          "amd64",
	}
}

// The image that is used: of a list, the one for this platform.
func choose(ctx context.Context, sys *types.SystemContext, src types.ImageSource) (*image.UnparsedImage, error) {
	top := image.UnparsedInstance(src, nil)
	bytes, kind, err := top.Manifest(ctx)
	if err != nil || !manifest.MIMETypeIsMultiImage(kind) {
		return top, err
	}
	list, err := manifest.ListFromBlob(bytes, kind)
	if err != nil {
		return nil, err
	}
	digest, err := list.ChooseInstance(sys)
	return image.UnparsedInstance(src, &digest), err
}

func decide(policy, registries, name string) error {
	ctx, sys := context.Background(), system(registries)
	p, err := signature.NewPolicyFromFile(policy)
	if err != nil {
		return err
	}
	pc, err := signature.NewPolicyContext(p)
	if err != nil {
		return err
	}
	defer pc.Destroy()
	ref, err := parse(name)
	if err != nil {
		return err
	}
	src, err := ref.NewImageSource(ctx, sys)
	if err != nil {
		return err
	}
	defer src.Close()
	img, err := choose(ctx, sys, src)
	if err != nil {
		return err
	}
	allowed, err := pc.IsRunningImageAllowed(ctx, img)
	if !allowed && err == nil {
		err = fmt.Errorf("not allowed")
	}
	return err
}

func sign(key, registries, identity, from, to string) error {
	any := &signature.Policy{Default: []signature.PolicyRequirement{signature.NewPRInsecureAcceptAnything()}}
	pc, err := signature.NewPolicyContext(any)
	if err != nil {
		return err
	}
	defer pc.Destroy()
	src, err := parse(from)
	if err != nil {
		return err
	}
	dst, err := parse(to)
	if err != nil {
		return err
	}
	name, err := reference.ParseNamed(identity)
	if err != nil {
		return err
	}
	_, err = copy.Image(context.Background(), pc, dst, src, &copy.Options{
		SourceCtx:                        system(registries),
		DestinationCtx:                   system(registries),
		ImageListSelection:               copy.CopyAllImages,
		SignIdentity:                     name,
		SignBySigstorePrivateKeyFile:     key,
		SignSigstorePrivateKeyPassphrase: []byte(""),
	})
	return err
}

func main() {
	a := os.Args[1:]
	switch {
	case len(a) >= 4 && a[0] == "check":
		for _, name := range a[3:] {
			if err := decide(a[1], a[2], name); err != nil {
				fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
			} else {
				fmt.Println("accepted")
			}
		}
	case len(a) == 6 && a[0] == "sign":
		if err := sign(a[1], a[2], a[3], a[4], a[5]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, "usage: containers check|sign ...; see main.go")
		os.Exit(1)
	}
}

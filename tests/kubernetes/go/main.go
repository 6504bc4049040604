// kubernetes is the part of a cluster's control plane that the tests need, in one program: the API server as it is, and of
// the controllers those that a workload behind a Service rests on.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	var command *cobra.Command
	switch os.Args[1] {
	case "apiserver":
		command = apiserver.NewAPIServerCommand()
	case "controllers":
		command = newControllersCommand()
	default:
		usage()
	}
	// Each command reads the arguments for itself, after the program's name.
	os.Args = append([]string{"kube-" + os.Args[1]}, os.Args[2:]...)
	os.Exit(cli.Run(command))
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: kubernetes apiserver|controllers [flags]")
	os.Exit(2)
}

package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/kubernetes/pkg/controller/endpointslice"
	"k8s.io/kubernetes/pkg/controller/statefulset"
)

// What kube-controller-manager gives these controllers when it is told nothing else.
const (
	endpointsPerSlice = 100
	workers           = 5
	resync            = 12 * time.Hour
)

// newControllersCommand runs two of kube-controller-manager's controllers: EndpointSlices that follow a Service's selector,
// and the Pods of a StatefulSet. The whole manager would take several times as long to build, and do nothing more for the tests.
func newControllersCommand() *cobra.Command {
	var kubeconfig string
	command := &cobra.Command{
		Use:          "kube-controllers",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return fmt.Errorf("reading %s: %w", kubeconfig, err)
			}
			// A test that deletes all pods at once waits for these controllers, not for their client's own brake.
			config.QPS, config.Burst = 200, 400
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				return err
			}
			ctx := genericapiserver.SetupSignalContext()
			shared := informers.NewSharedInformerFactory(client, resync)
			core, discovery, apps := shared.Core().V1(), shared.Discovery().V1(), shared.Apps().V1()
			slices := endpointslice.NewController(ctx, core.Pods(), core.Services(), core.Nodes(), discovery.EndpointSlices(),
				endpointsPerSlice, client, 0)
			sets := statefulset.NewStatefulSetController(ctx, core.Pods(), apps.StatefulSets(), core.PersistentVolumeClaims(),
				apps.ControllerRevisions(), client)
			shared.Start(ctx.Done())
			go sets.Run(ctx, workers)
			slices.Run(ctx, workers)
			return nil
		},
	}
	command.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server, and as whom")
	return command
}

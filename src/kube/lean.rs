//! Objects without what nobody here asks for: of a Pod that is nearly all, and there may be thousands.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Container, Node, NodeSpec, Pod, PodSpec, PodStatus, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;

/// A kind of which some fields are never asked for. What is left is for reading: written back, the rest would be lost. Only a
/// Lease may be written: the record of managers is the API server's own.
pub trait Lean {
    /// The same without them.
    #[must_use]
    fn lean(self) -> Self;
}

impl Lean for Pod {
    fn lean(mut self) -> Self {
        self.metadata.managed_fields = None;
        self.metadata.annotations = None;
        self.spec = self.spec.map(|spec| PodSpec {
            node_name: spec.node_name,
            containers: spec.containers.into_iter().map(named_with_ports).collect(),
            ..PodSpec::default()
        });
        self.status = self.status.map(|status| PodStatus {
            phase: status.phase,
            pod_ip: status.pod_ip,
            pod_ips: status.pod_ips,
            conditions: status.conditions,
            container_statuses: status.container_statuses,
            ..PodStatus::default()
        });
        self
    }
}

fn named_with_ports(container: Container) -> Container {
    Container { name: container.name, ports: container.ports, ..Container::default() }
}

impl Lean for Node {
    fn lean(mut self) -> Self {
        self.metadata.managed_fields = None;
        self.metadata.annotations = None;
        self.spec = self.spec.map(|spec| NodeSpec {
            unschedulable: spec.unschedulable,
            taints: spec.taints,
            ..NodeSpec::default()
        });
        // Every image that lies there is named in it.
        self.status = None;
        self
    }
}

impl Lean for Lease {
    fn lean(mut self) -> Self {
        self.metadata.managed_fields = None;
        self
    }
}

/// Who wrote its selector last stands in the record of managers.
impl Lean for Service {
    fn lean(self) -> Self {
        self
    }
}

impl Lean for EndpointSlice {
    fn lean(self) -> Self {
        self
    }
}

//! A Kubernetes cluster for the tests: a real API server over a real etcd, with RBAC, and a stand-in for the kubelet.
//!
//! `tests/kubernetes/prepare` builds the API server and the controllers. `KUBEBUILDER_ASSETS` names a folder with another
//! API server and etcd. `KUBECONFIG` leads to a cluster that is used where a test does nothing to the API server itself.

pub(crate) mod account;
pub(crate) mod admin;
pub(crate) mod cluster;
pub(crate) mod container;
pub(crate) mod control_plane;
pub(crate) mod gate;
pub(crate) mod keys;
pub(crate) mod kubelet;
pub(crate) mod manifests;
pub(crate) mod member;
mod pod;

pub(crate) use account::Account;
pub(crate) use admin::Admin;
pub(crate) use cluster::{Cluster, Shared};
pub(crate) use control_plane::ControlPlane;
pub(crate) use kubelet::Kubelet;
pub(crate) use member::Member;

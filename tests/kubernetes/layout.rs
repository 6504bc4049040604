//! The objects of a world, and what else it is made of.

use crate::support::hosts::Family;

/// A Redis of three behind a Service that vedette is to watch.
pub(crate) const REDIS: &str = "
apiVersion: v1
kind: Service
metadata:
  name: redis
  labels: {vedette.dev/group: mymaster}
  annotations: {vedette.dev/quorum: '2', vedette.dev/down-after-milliseconds: '1000'}
spec:
  selector: {app: redis}
  ports: [{port: 6379}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: redis}
spec:
  serviceName: redis
  replicas: 3
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: redis}}
  template:
    metadata: {labels: {app: redis}}
    spec:
      terminationGracePeriodSeconds: 5
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: redis
          image: redis
          args: [--appendonly, 'yes', --replicaof, 127.0.0.1, '1']
          ports: [{containerPort: 6379}]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
";

/// What keeps a data node from serving before it has its role.
pub(crate) const GUARD: &str = ", --replicaof, 127.0.0.1, '1'";
/// The Service that leads to the replicas.
pub(crate) const REPLICAS: &str = "redis-replicas";
/// As an object.
pub(crate) const REPLICA_SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: redis-replicas}
spec:
  ports: [{port: 6379}]
";
/// What makes the Pods' data outlive them.
pub(crate) const CLAIMS: &str = "
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
";

/// What a world is made of.
pub(crate) struct Layout<'a> {
    /// What the addresses of all its hosts are.
    pub(crate) family: Family,
    /// So many more Pods can come in the place of others.
    pub(crate) spare: usize,
    /// So many hosts are for others, from [`World::OTHERS`] on.
    pub(crate) others: usize,
    /// The StatefulSet and its Service.
    pub(crate) objects: String,
    /// Further lines of the members' configuration.
    pub(crate) lines: &'a [&'a str],
    /// Whether what the members write is logged.
    pub(crate) audited: bool,
}
